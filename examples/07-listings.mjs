// Nine short programs that people write against remote Pythons, one after the other on one gateway.
import { fileURLToPath } from 'node:url'
import { makeGateway } from 'tendril'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const prints = []
const gateway = await makeGateway('popen', { onOutput: ({ text }) => prints.push(text) })
const say = (...what) => console.log(...what)
try {
  say('1. what machine is that?')
  say((await gateway.modules.platform.system()) !== '', (await gateway.get('sys.version_info'))[0] >= 2)

  say('2. the same asked of two Pythons at once')
  const other = await makeGateway('popen')
  const pids = await Promise.all([gateway, other].map((each) => each.modules.os.getpid()))
  say(new Set(pids).size)
  await other.terminate()

  say('3. a function of a module that only one of us has, with keyword arguments')
  gateway.provide({ roots: [here('.')] })
  say(await gateway.call('payroll.get_salary', [], { last: 'Mertz', first: 'David' }))

  say('4. a line of Python with values of ours in it')
  say(await gateway.py`[name.title() for name in ${['ada', 'grace']}]`)

  say('5. code that stays, and what it prints')
  await gateway.execute('def hello():\n    print("Hello from over there")\n    return 7')
  say(await gateway.call('hello'), prints.join('').trim())

  say('6. a server of theirs, reached as if it were ours')
  await gateway.execute(`
    import threading
    try:
        from http.server import BaseHTTPRequestHandler, HTTPServer
    except ImportError:
        from BaseHTTPServer import BaseHTTPRequestHandler, HTTPServer

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'served by Python')

        def log_message(self, *args):
            pass

    server = HTTPServer(('127.0.0.1', 0), Hello)
    thread = threading.Thread(target=server.serve_forever)
    thread.daemon = True
    thread.start()`)
  const port = await gateway.eval('server.server_address[1]')
  const forward = await gateway.forward({ localListen: 0, to: `127.0.0.1:${port}` })
  say(await (await fetch(`http://127.0.0.1:${forward.port}/`)).text())
  await forward.close()

  say('7. a call that takes long, and is not waited for')
  const stop = new AbortController()
  const sleeping = gateway.call('time.sleep', [15], {}, { signal: stop.signal })
  const behind = gateway.call('abs', [-1])
  stop.abort()
  say(await sleeping.catch(({ name }) => name))
  say(await behind)

  say('8. a service: two functions may be called, and nothing else')
  const payroll = await gateway.service(here('payroll.py'), { expose: ['get_salary'] })
  say(await payroll.get_salary('Hopper', 'Grace'), 'secret' in payroll)

  say('9. the other way: Python calls us')
  gateway.expose({ lookup: async (id) => ({ id, name: `user ${id}` }) })
  say(await gateway.eval('controller.lookup(7)["name"]'))
} finally {
  await gateway.terminate()
}
