// A channel has two ends that can do the same things, and a channel can be sent over a channel.
import { Group } from 'tendril'

const group = new Group()
try {
  // launchGateway does not wait for Python to start: what follows leaves together with the worker, in one write.
  const gateway = group.launchGateway('popen')

  // 1. A conversation: here Python asks and JavaScript answers.
  const quiz = gateway.remoteExec(`
    channel.send('What is your name?')
    name = channel.receive()
    channel.send('How many bells, %s?' % name)
    for _ in range(channel.receive()):
        channel.send('ding')
  `)
  console.log(await quiz.receive())
  await quiz.send('tendril')
  console.log(await quiz.receive())
  await quiz.send(3)
  for await (const item of quiz) console.log(item) // ends when the Python code ends

  // 2. A channel over a channel: items go one way, progress the other, and neither waits for the other.
  const progress = gateway.newChannel()
  const squares = gateway.remoteExec(
    `
    for n in channel:                       # until sendEnd
        progress.send('squaring %d' % n)
        channel.send(n * n)
    progress.close()
    `,
    { progress }, // becomes a name in the Python code: the other end of the same channel
  )
  const lines = []
  progress.setCallback((line) => void lines.push(line))
  for (const n of [2, 3, 4]) await squares.send(n)
  squares.sendEnd() // no more numbers from here; the answers still arrive
  const answers = []
  for await (const answer of squares) answers.push(answer)
  await progress.waitClose() // with a callback: after it has had everything
  console.log(answers.join(' '), '|', lines.join(', '))

  // 3. Python makes the channel and sends it here.
  const maker = gateway.remoteExec(`
    made = channel.gateway.newchannel()
    channel.send(made)
    made.send('hello from a channel that Python made')
    made.close()
  `)
  const made = await maker.receive()
  console.log(await made.receive())
} finally {
  await group.terminate()
}
