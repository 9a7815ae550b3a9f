// A session with Python, piece by piece: functions, constants, objects, attributes, builtins, operators, arithmetic with dates.
// Values come back as values. What is to stay over there is asked for as a reference, and used from here.
import { makeGateway } from 'tendril'

const gateway = await makeGateway('popen')
const { modules } = gateway
try {
  console.log('# functions')
  console.log(await gateway.call('os.path.basename', ['/usr/lib/python3']))
  console.log(await modules.os.path.join('a', 'b', 'c'))
  console.log(await gateway.call('json.dumps', [{ a: [1, 2.5, null, true] }], { sort_keys: true }))

  console.log('# constants')
  console.log((await gateway.get('math.pi')).toFixed(10))
  console.log(await gateway.get('string.ascii_lowercase'))

  console.log('# objects')
  const words = await gateway.new('collections.OrderedDict')
  await words.$setItem('one', 1)
  await words.update({ two: 2 })
  console.log(await words.$item('two'), await words.$length(), await words.value())

  console.log('# attributes')
  const day = await gateway.new('datetime.date', [2009, 6, 30])
  console.log(await day.year, await day.isoformat(), await day.strftime('%A'))

  console.log('# builtins')
  console.log(await gateway.call('sorted', [[3, 1, 2]], { reverse: true }))
  console.log(await gateway.call('pow', [2, 100]), await gateway.call('any', [[0, '', 3]]))
  console.log(await gateway.eval('sum(n * n for n in numbers)', { numbers: [1, 2, 3] }))

  console.log('# operators')
  console.log(await gateway.call('operator.add', [40, 2]), await gateway.call('operator.and_', [6, 3]))
  const seven = await gateway.new('fractions.Fraction', [7, 3])
  console.log(String(await seven.$op('mul', 3)), String(await seven.$op('pow', 2)), await seven.$op('gt', 2))

  console.log('# arithmetic with dates')
  const born = await gateway.new('datetime.date', [1991, 2, 20])
  console.log(await day.$op('sub', born).days)
  console.log(await gateway.py`(${day} + __import__('datetime').timedelta(days=${30})).isoformat()`)
} finally {
  await gateway.terminate()
}
