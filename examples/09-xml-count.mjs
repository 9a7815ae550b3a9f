// Node asks Python for work that only Python can do: its standard library streams through XML, and numpy is there where it is installed.
//
//   node examples/09-xml-count.mjs [FILE.xml [TAG]]
import { fileURLToPath } from 'node:url'
import { makeGateway } from 'tendril'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const [file = here('people.xml'), tag = 'name'] = process.argv.slice(2)

const gateway = await makeGateway('popen')
try {
  gateway.provide({ roots: [here('.')] }) // xml_count.py lies beside this file; the worker imports it from here
  const jobs = [
    [file, tag],
    [file, null],
    [here('missing.xml'), tag],
  ]
  const counts = await Promise.allSettled(jobs.map((job) => gateway.call('xml_count.count', job)))
  for (const { value, reason } of counts)
    console.log(reason === undefined ? value : `${reason.type}: ${reason.args[1]}`)

  const hasNumpy = await gateway.py`__import__('importlib.util').util.find_spec('numpy') is not None`
  if (hasNumpy) console.log(await gateway.modules.numpy.arange(10).reshape(2, 5).sum(0).tolist())
  else console.log('numpy is not installed there')
} finally {
  await gateway.terminate()
}
