// What is measured: one entry a work, with the rows of the table that it fills and the bars they are held to. The sides
// are in tendril_side.mjs, raw.mjs and (under the work's name) execnet_peer.py; each runs in a process of its own and
// gives figures by key, and less is better in all of them. README.md says how rows and bars read.
import * as calls from './calls_side.mjs'
import * as copies from './copies_side.mjs'
import * as elastic from './elastic_side.mjs'
import { calls as manyCalls, objects as manyObjects } from './growth/calls.mjs'
import { channels as manyChannels } from './growth/channels.mjs'
import { copies as manyCopies, others as manyOthers } from './growth/others.mjs'
import { GROWTH, sweep } from './growth/sweep.mjs'
import { values as manyValues } from './growth/values.mjs'
import * as objects from './objects_side.mjs'
import * as raw from './raw.mjs'
import * as socket from './socket_side.mjs'
import * as sshRaw from './ssh_raw.mjs'
import * as ssh from './ssh_side.mjs'
import * as tendril from './tendril_side.mjs'
import * as ways from './ways_side.mjs'

const { FAR_MS, HOSTS, LANES, SSH_GATEWAYS, SSH_MIB } = ssh
const ROUND_TRIP_MS = 2 * FAR_MS
const { CHANNELS, EXECS, GATEWAYS, INTS, UNREAD_MIB } = tendril

/**
 * A work: its `name`; its `rows`, each with the `key` of a figure, a `title`, a `unit`, a `bar` (none: for information) and
 * the `peer` key that it is compared with on the other sides; `rounds`, at most so many; `isPinned`, all on one core;
 * `bed`, the server that it leads to, of those in beds.mjs; `isOurs`, execnet has nothing like it;
 * `rival`, who stands in its place then.
 */
export const works = [
  roundTrips('roundtrip-pinned', 'pinned to one core', { isPinned: true, bar: { execnet: 3, raw: 2.5 } }),
  roundTrips('roundtrip-free', 'free-running', { isPinned: false, bar: { execnet: 1.3, raw: 1.2 } }),
  {
    name: 'ints-to-worker',
    rows: [
      { key: 'queued', title: 'ints to the worker, those of a tick together', unit: 'µs', bar: { execnet: 3 } },
      { key: 'awaited', title: '… every send awaited', unit: 'µs', bar: { execnet: 3 }, peer: 'queued' },
      { key: 'cold', title: '… the first of a process', unit: 'µs' },
    ],
    raw: async (python) => ({ queued: ((await raw.toWorker(python, INTS * raw.wireSize(INTS))) * 1e3) / INTS }),
    tendril: tendril.sendInts,
  },
  {
    name: 'ints-to-controller',
    rows: [
      { key: 'receive', title: 'ints to the controller, receive()', unit: 'µs', bar: { execnet: 2 } },
      { key: 'iterated', title: '… for await', unit: 'µs', bar: { execnet: 2 }, peer: 'receive' },
      { key: 'callback', title: '… setCallback', unit: 'µs', peer: 'receive' },
      { key: 'cold', title: '… the first of a process', unit: 'µs' },
    ],
    raw: async (python) => ({ receive: ((await raw.toController(python, INTS * raw.wireSize(INTS))) * 1e3) / INTS }),
    tendril: tendril.receiveInts,
  },
  transfer('10,000 dict rows', tendril.rows, { execnet: 12 }),
  transfer('200,000 floats', tendril.floats, { execnet: 20 }),
  transfer('64 MiB of bytes', tendril.bytes, { execnet: 6, raw: 2 }),
  {
    name: 'startup',
    rows: [
      { key: 'launched', title: 'popen to first result, launchGateway', unit: 'ms', bar: { execnet: 1, overRaw: 15 } },
      { key: 'made', title: '… makeGateway', unit: 'ms', bar: { execnet: 1, overRaw: 15 }, peer: 'launched' },
      { key: 'cold', title: '… launchGateway, the first of a process', unit: 'ms', peer: 'launched' },
    ],
    raw: async (python) => ({ launched: await raw.startUp(python) }),
    tendril: tendril.startUp,
  },
  {
    name: 'gateways',
    rounds: 3,
    rows: [{ key: 'all', title: `${GATEWAYS} gateways to ${GATEWAYS} results`, unit: 'ms', bar: { execnet: 1.5 } }],
    raw: async (python) => ({ all: await raw.startUps(python, GATEWAYS) }),
    tendril: tendril.manyGateways,
  },
  {
    name: 'idle',
    rounds: 3,
    rows: [
      { key: 'worker', title: "worker's memory, idle", unit: 'MiB', bar: { overRaw: 5 } },
      { key: 'used', title: '… after a task', unit: 'MiB', peer: 'worker' },
      { key: 'share', title: '… with its guard, shared pages shared out', unit: 'MiB' },
    ],
    raw: raw.idle,
    tendril: tendril.idleMemory,
  },
  {
    name: 'unread',
    rounds: 1,
    rows: [
      {
        key: 'toWorker',
        title: `${UNREAD_MIB} MB to a worker that reads none: it grows`,
        unit: 'MiB',
        bar: { atMost: 64 },
      },
      { key: 'toWorkerHere', title: '… the controller grows', unit: 'MiB', bar: { atMost: 64 } },
      {
        key: 'toController',
        title: `${UNREAD_MIB} MB to a controller that reads none`,
        unit: 'MiB',
        bar: { atMost: 64 },
      },
      { key: 'toControllerThere', title: '… the worker grows', unit: 'MiB', bar: { atMost: 64 } },
    ],
    tendril: tendril.unread,
  },
  repeated('channels', `${CHANNELS} channels`, tendril.manyChannels),
  repeated('execs', `${EXECS} execs`, tendril.manyExecs),
  callRows('calls-pinned', 'pinned to one core', { isPinned: true, rpyc: 2 }),
  callRows('calls-free', 'free-running', { isPinned: false, rpyc: 1 }),
  serverRoundTrips('socket', 'socket', socket.socketRoundTrips),
  serverBytes('socket', 'a socket', socket.socketBytes, 1.43),
  serverRoundTrips('ws', 'WebSocket', socket.wsRoundTrips),
  serverBytes('ws', 'a WebSocket', socket.wsBytes, 2),
  viaRoundTrips('via-pinned', 'pinned to one core', { isPinned: true, bar: { raw: 2 } }),
  viaRoundTrips('via-free', 'free-running', { isPinned: false, bar: {} }),
  {
    name: 'via-bytes',
    isOurs: true,
    rounds: 3,
    rows: [
      {
        key: 'toWorker',
        title: `${ways.VIA_MIB} MiB via a gateway to the worker, beside popen`,
        unit: 'ms',
        bar: { raw: 2 },
      },
      {
        key: 'toController',
        title: `${ways.VIA_MIB} MiB via a gateway to the controller, beside popen`,
        unit: 'ms',
        bar: { raw: 2 },
      },
    ],
    raw: ways.directBytes,
    tendril: ways.viaBytes,
  },
  {
    name: 'arrivals',
    isOurs: true,
    rounds: 3,
    rows: [
      {
        key: 'all',
        title: `${ways.ARRIVALS} workers dial home at once, beside ${ways.ARRIVALS} popen`,
        unit: 'ms',
        bar: { raw: 3 },
      },
      { key: 'lost', title: '… refused', unit: '', bar: { atMost: 0 } },
    ],
    raw: ways.children,
    tendril: ways.arrivals,
  },
  {
    name: 'copy',
    isOurs: true,
    rounds: 3,
    rows: [
      {
        key: 'put',
        title: `put ${copies.COPY_MIB} MiB, beside cat through a pipe`,
        unit: 'ms',
        bar: { raw: 3 },
        peer: 'cat',
      },
      { key: 'channelPut', title: '… over a bare channel, beside cp', unit: 'ms', peer: 'cp' },
      {
        key: 'get',
        title: `get ${copies.COPY_MIB} MiB, beside cat through a pipe`,
        unit: 'ms',
        bar: { raw: 3 },
        peer: 'cat',
      },
      { key: 'channelGet', title: '… over a bare channel, beside cp', unit: 'ms', peer: 'cp' },
      { key: 'filesPut', title: `put ${copies.FILES} short files, beside tar through a pipe`, unit: 'ms', peer: 'tar' },
      { key: 'filesGet', title: `get ${copies.FILES} short files, beside tar through a pipe`, unit: 'ms', peer: 'tar' },
    ],
    raw: copies.systemCopies,
    tendril: copies.copies,
  },
  {
    name: 'ssh-roundtrip',
    bed: 'loopback',
    rounds: 3,
    rows: [
      { key: 'ssh2', title: 'round trip, ssh', unit: 'µs', bar: { execnet: 1.5 } },
      { key: 'openssh', title: '… engine=openssh', unit: 'µs', peer: 'ssh2' },
    ],
    raw: sshRaw.sshRoundTrips,
    tendril: ssh.sshRoundTrips,
  },
  {
    name: 'ssh-gateways',
    bed: 'loopback',
    rounds: 1,
    rows: [
      {
        key: 'all',
        title: `${SSH_GATEWAYS} gateways on one ssh host, to ${SSH_GATEWAYS} results`,
        unit: 'ms',
        bar: { execnet: 5 },
      },
      { key: 'connections', title: '… TCP connections', unit: '', bar: { atMost: 1 } },
    ],
    tendril: ssh.sshGateways,
  },
  {
    name: 'ssh-bytes',
    bed: 'loopback',
    rounds: 3,
    rows: [
      { key: 'toWorker', title: `${SSH_MIB} MiB over ssh to the worker`, unit: 'ms', bar: { raw: 1.25 } },
      { key: 'toController', title: `${SSH_MIB} MiB over ssh to the controller`, unit: 'ms', bar: { raw: 1.25 } },
    ],
    raw: sshRaw.sshBytes,
    tendril: ssh.sshBytes,
  },
  {
    name: 'ssh-far',
    bed: 'far',
    rows: [
      {
        key: 'cold',
        title: `ssh to first result, ${FAR_MS} ms each way`,
        unit: 'ms',
        bar: { overRaw: 0.5 * ROUND_TRIP_MS, underExecnet: 1.5 * ROUND_TRIP_MS },
      },
      { key: 'warm', title: '… a second gateway', unit: 'ms', bar: { atMost: 1.5 * ROUND_TRIP_MS }, peer: 'cold' },
    ],
    raw: sshRaw.sshFar,
    tendril: ssh.sshFar,
  },
  {
    name: 'import-far',
    bed: 'far',
    isOurs: true,
    rounds: 3,
    rows: [
      {
        key: 'trips',
        title: `first import of django.db.models, ${FAR_MS} ms each way: round trips`,
        unit: '',
        bar: { atMost: 2 },
      },
      { key: 'modules', title: '… modules', unit: '' },
      { key: 'ms', title: '… beside one from disk without .pyc files', unit: 'ms' },
      { key: 'aheadTrips', title: '… round trips when it was sent ahead', unit: '', bar: { atMost: 0 } },
    ],
    raw: elastic.diskImport,
    tendril: elastic.farImport,
  },
  {
    name: 'objects',
    isOurs: true,
    rows: [
      { key: 'chain', title: 'a chain of 6 remote operations', unit: 'µs' },
      { key: 'ratio', title: '… of the time of one call', unit: '×', bar: { atMost: 1.5 } },
    ],
    tendril: objects.chains,
  },
  {
    name: 'objects-far',
    bed: 'far',
    isOurs: true,
    rounds: 3,
    rows: [{ key: 'trips', title: `… ${FAR_MS} ms each way: round trips`, unit: '', bar: { atMost: 1.2 } }],
    tendril: objects.farChains,
  },
  {
    name: 'references',
    isOurs: true,
    rounds: 1,
    rows: [
      { key: 'each', title: `${objects.REFERENCES} references made and dropped, each`, unit: 'µs' },
      { key: 'left', title: '… in the table of the worker at the end', unit: '', bar: { atMost: 0 } },
      { key: 'worker', title: '… the worker grows', unit: 'MiB', bar: { atMost: 8 } },
      { key: 'heap', title: "… the controller's heap grows", unit: 'MiB', bar: { atMost: 8 } },
    ],
    tendril: objects.references,
  },
  {
    name: 'ssh-hosts',
    bed: 'hosts',
    rounds: 1,
    rows: [
      { key: 'all', title: `${HOSTS} ssh hosts, a task each, ${LANES} at a time`, unit: 'ms', bar: { raw: 1 } },
      { key: 'heap', title: "… the controller's heap grows after the first 50", unit: 'MiB', bar: { atMost: 4 } },
      { key: 'resident', title: '… the controller grows after the first 50', unit: 'MiB' },
      { key: 'descriptors', title: '… descriptors more at the end', unit: '', bar: { atMost: 0 } },
      { key: 'connections', title: '… connections at the end', unit: '', bar: { atMost: 0 } },
    ],
    raw: sshRaw.sshHosts,
    tendril: ssh.sshHosts,
  },
  growing('channels', manyChannels),
  growing('calls', manyCalls),
  growing('objects', manyObjects),
  growing('values', manyValues),
  growing('copies', manyCopies),
  growing('others', manyOthers),
]

/** How the cost of operations grows with their work: the exponent. A row is the number of what its title says. */
function growing(name, operations) {
  const rows = Object.keys(operations).map((title) => ({ key: title, title, unit: 'n^', bar: { atMost: GROWTH } }))
  return { name: `growth-${name}`, isOurs: true, rounds: 1, rows, tendril: (python) => sweep(python, operations) }
}

function roundTrips(name, how, { isPinned, bar }) {
  return {
    name,
    isPinned,
    rows: [
      { key: 'awaited', title: `round trip, ${how}`, unit: 'µs', bar },
      { key: 'queued', title: '… send not awaited', unit: 'µs', peer: 'awaited' },
      { key: 'later', title: '… on a second task', unit: 'µs', peer: 'awaited' },
      { key: 'cold', title: '… the first of a process', unit: 'µs' },
    ],
    raw: (python) => raw.roundTrips(python, tendril),
    tendril: tendril.roundTrips,
  }
}

/** Behind one other gateway; what stands in the column of the raw pipe is popen. */
function viaRoundTrips(name, how, { isPinned, bar }) {
  return {
    name,
    isOurs: true,
    isPinned,
    rows: [{ key: 'each', title: `round trip via a gateway, beside popen, ${how}`, unit: 'µs', bar }],
    raw: ways.directRoundTrips,
    tendril: ways.viaRoundTrips,
  }
}

/** Beside RPyC, which has no channels: in the column of the raw pipe there is a bare channel. */
function callRows(name, how, { isPinned, rpyc }) {
  return {
    name,
    isPinned,
    rival: 'rpyc',
    rounds: 3,
    rows: [
      { key: 'sequential', title: `call of a function, ${how}`, unit: 'µs', bar: { execnet: rpyc, raw: 1.3 } },
      { key: 'pipelined', title: `… ${calls.AT_ONCE} at once, each`, unit: 'µs', bar: { execnet: 4, atMost: 15 } },
      { key: 'list', title: `iterating ${calls.ITEMS} items of a remote list`, unit: 'ms', bar: { execnet: 100 } },
      { key: 'generator', title: '… of a generator', unit: 'ms', bar: { execnet: 100 }, peer: 'list' },
      { key: 'cold', title: '… of the list, the first of a process', unit: 'ms', peer: 'list' },
    ],
    raw: calls.bareRoundTrips,
    tendril: calls.calls,
  }
}

/** Through our server, and execnet's. */
function serverRoundTrips(name, how, run) {
  return {
    name: `${name}-roundtrip`,
    bed: 'socket',
    rows: [{ key: 'each', title: `round trip, ${how}`, unit: 'µs', bar: { execnet: 1.5 } }],
    tendril: run,
  }
}

/** The same; what stands in the column of the raw pipe is popen. */
function serverBytes(name, how, run, bar) {
  const title = `${socket.SOCKET_MIB} MiB over ${how}`
  return {
    name: `${name}-bytes`,
    bed: 'socket',
    rows: [
      { key: 'toWorker', title: `${title} to the worker`, unit: 'ms', bar: { raw: bar } },
      { key: 'toController', title: `${title} to the controller`, unit: 'ms', bar: { raw: bar } },
    ],
    raw: socket.popenBytes,
    tendril: run,
  }
}

/** A big item each way: to the worker, which confirms when it has the value, and from it. */
function transfer(title, what, bar) {
  return {
    name: what.name,
    rounds: 3,
    rows: [
      { key: 'toWorker', title: `${title} to the worker`, unit: 'ms', bar },
      { key: 'toController', title: `${title} to the controller`, unit: 'ms', bar },
      { key: 'coldToWorker', title: '… to the worker, the first of a process', unit: 'ms' },
      { key: 'coldToController', title: '… to the controller, the first of a process', unit: 'ms' },
    ],
    raw: async (python) => {
      const bytes = raw.wireSize(what.make(what.length))
      return { toWorker: await raw.toWorker(python, bytes), toController: await raw.toController(python, bytes) }
    },
    tendril: (python) => tendril.transfer(python, what),
  }
}

/** The same thing very often. The bars are what allocators keep back, which differs from run to run, and nothing else. */
function repeated(name, title, run) {
  const grows = (key, what, unit, atMost) => ({ key, title: `… ${what}`, unit, bar: { atMost } })
  return {
    name,
    rounds: 1,
    rows: [
      { key: 'each', title: `${title}, each`, unit: 'µs' },
      grows('workerMib', 'the worker grows', 'MiB', 1),
      grows('controllerMib', 'the controller grows', 'MiB', 8),
      grows('heapMib', "the controller's heap grows", 'MiB', 1),
      grows('threads', 'threads more in the worker', '', 0),
      grows('workerFds', 'descriptors more in the worker', '', 0),
      grows('controllerFds', 'descriptors more in the controller', '', 0),
      grows('channels', 'channels more that are open', '', 0),
    ],
    tendril: run,
  }
}
