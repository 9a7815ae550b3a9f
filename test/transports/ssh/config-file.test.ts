// Without ssh we read its files ourselves: the same files, asked of the real ssh, say whether we read them right.
import { userInfo } from 'node:os'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { kexAlgorithms } from '../../../src/gateways/kinds/ssh/algorithms.js'
import type { ResolvedHost } from '../../../src/gateways/kinds/ssh/host.js'
import { byFiles, bySsh, makeScratch, missingTool } from './scratch.js'

const scratch = makeScratch()
const why = missingTool('ssh')
const unset = '$' + '{NOT_SET_ANYWHERE}'

scratch.write('conf.d/10-web.conf', 'Host web*\n  User web\n  Port 2201\n')
scratch.write('conf.d/20-all.conf', 'Compression yes\nPort 2299\n')
scratch.write('conf.d/.hidden.conf', 'User hidden\n')
scratch.write(
  'nested',
  `Host other\n  User never\nHost *\n  Include ${scratch.path}/conf.d/1*.conf\n  ConnectTimeout 9\n`,
)

const cases: Readonly<Record<string, { readonly config: string; readonly words: readonly string[] }>> = {
  patterns: {
    config: `
Host !web2 web? *.example.com
  Port 2201
Host web1 "db 1" db1
  User me
Host WEB1
  User upper
Host *
  User all
  HostName %h.example.com
`,
    words: ['web1', 'web2', 'web22', 'db1', 'WEB1', 'x.example.com', 'web'],
  },
  includes: {
    config: `Host web1\n  Include ${scratch.path}/conf.d/*.conf\nHost web2\n  Include ${scratch.path}/nested\n  Port 7\nInclude ${scratch.path}/nowhere/*\n`,
    words: ['web1', 'web2', 'other', 'db1'],
  },
  matches: {
    config: `
Match host web1.example.com
  Port 2200
Host web1
  HostName web1.example.com
Match host *.example.com,!web2.example.com user me
  Port 2201
Match originalhost web1,web2 !user root
  Compression yes
Match localuser ${userInfo().username}
  ServerAliveInterval 11
Match !host web*
  ConnectTimeout 5
Match final host web1.example.com
  BatchMode yes
Match all
  User last
`,
    words: ['web1', 'me@web1', 'root@web2', 'x@web2', 'db1'],
  },
  tokens: {
    config: `
HostName %h.example.com
IdentityFile ${scratch.path}/%h-%n-%p-%r-%u-%i-%%-%L-%l-%k
IdentityFile ~/%d
IdentityFile \${KEYS}/id
CertificateFile %d/x
ControlPath ~/cm/%r@%h:%p-%C
IdentityAgent ~/agent-%n
ProxyCommand "my nc" -x a=b %h %p %r %n %%
UserKnownHostsFile ~/kh %d/%k "/a b/%h" \${KEYS}/kh
`,
    words: ['web1', '-p 2201 me@web1', '-o HostKeyAlias=ALIAS web1'],
  },
  words: {
    config:
      '  port=2201\nUSER = me # a comment\n\tIdentityFile="/a b/c"\n\n# nothing\nconnecttimeout\t1m30s\nSetEnv A=1 B="x y" C=\nSetEnv D=4\n',
    words: [
      'web1',
      '-l you -p 7 web1',
      '-o Port=8 -o "User x" web1',
      `-i ${scratch.path}/nested web1`,
      '-i /nowhere web1',
    ],
  },
  environment: {
    config: `
Host a
  SendEnv -KEYS NOT_*
Host b
  SendEnv SSH_* "KEYS"
  SetEnv KEYS=mine
  SetEnv NEVER=1
Host c
  SendEnv KEY* SSH_AUTH_SOCK -KEY?
Host f
  SetEnv "A=x y" B=z=1
Host g
  SetEnv   "A=1"   'B=2 "3"' C="" # comment
Host h
  setenv=A=a#b B="a \\"q\\" b" A=2 C=\\x\\ y "D=\\\\"
`,
    words: ['a', 'b', 'c', 'f', 'g', 'h', '-o SendEnv=KEYS d', '-o SendEnv=KEYS a', 'e'],
  },
  proxies: {
    config: `
Host a
  ProxyCommand nc %h %p
Host b
  ProxyCommand none
Host c x* z
  ProxyJump none
Host !y *
  ProxyJump %r@x-%n-%h-%p:22,u-%%@x:22,ssh://y
`,
    words: ['a', 'b', 'c', 'd', '-J z d', '-o ProxyCommand=none d'],
  },
  hostKeys: {
    config:
      'UserKnownHostsFile none\nGlobalKnownHostsFile /x /y\nStrictHostKeyChecking accept-new\nHashKnownHosts yes\n',
    words: [
      'web1',
      '-o StrictHostKeyChecking=no web1',
      '-o StrictHostKeyChecking=off web1',
      '-o StrictHostKeyChecking=yes web1',
    ],
  },
  authentication: {
    config: `
Host a
  PreferredAuthentications password,publickey
  PubkeyAuthentication no
Host b
  BatchMode yes
  GSSAPIAuthentication yes
Host c
  IdentityAgent none
  ForwardAgent yes
Host d
  IdentitiesOnly yes
  IdentityFile /k1
  IdentityFile /k2
  IdentityFile /k1
  ForwardAgent yes
  AddressFamily inet6
  BindAddress ::1
`,
    words: ['a', 'b', 'c', 'd', '-4 -A -i /k3 d', 'e'],
  },
}

/** Without what only ssh knows: its own lists of algorithms. */
function comparable(host: ResolvedHost): ResolvedHost {
  const jumpHost = host.jumpHost && comparable(host.jumpHost)
  return {
    ...host,
    jumpHost,
    kexAlgorithms: [],
    ciphers: [],
    macs: [],
    hostKeyAlgorithms: [],
    pubkeyAcceptedAlgorithms: [],
  }
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe.skipIf(why !== undefined)(`the files, read without ssh${why === undefined ? '' : ` (${why})`}`, () => {
  for (const [name, { config, words }] of Object.entries(cases)) {
    it.each(words)(`say of ${name} what ssh says: %s`, async (value) => {
      vi.stubEnv('KEYS', '/keys')
      vi.stubEnv('SSH_AUTH_SOCK', '/run/agent')
      const path = scratch.write(name, config)
      expect(comparable(await byFiles(value, path))).toEqual(comparable(await bySsh(value, path)))
    })
  }

  it('say what ssh says of the defaults of this machine', async () => {
    expect(comparable(await byFiles('web1', 'none'))).toEqual(comparable(await bySsh('web1', 'none')))
  })
})

describe('settingsFromFiles', () => {
  it('never runs a command of Match exec, nor takes it for true or false', async () => {
    const mark = scratch.at('ran')
    const path = scratch.write('exec', `Match exec "touch ${mark}"\n  Port 1\nMatch !exec "touch ${mark}"\n  Port 2\n`)
    expect((await byFiles('web1', path)).port).toBe(22)
  })

  it('takes lists of algorithms that are whole, and those that change what we offer', async () => {
    const lines = [
      'Ciphers aes128-ctr,aes256-ctr',
      'KexAlgorithms +diffie-hellman-group1-sha1,curve25519-sha256',
      'MACs -hmac-sha1*,hmac-sha2-5*',
      'HostKeyAlgorithms ^ssh-rsa,rsa-sha2-256',
    ]
    const host = await byFiles('web1', scratch.write('algorithms', `${lines.join('\n')}\n`))
    expect(host).toMatchObject({
      ciphers: ['aes128-ctr', 'aes256-ctr'],
      kexAlgorithms: [...kexAlgorithms.usual, 'diffie-hellman-group1-sha1'],
      macs: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-256'],
    })
    expect(host.hostKeyAlgorithms.slice(0, 3)).toEqual(['ssh-rsa', 'rsa-sha2-256', 'ssh-ed25519'])
  })

  it.each([
    ['Host "x\n', /cannot be read as an ssh configuration/],
    [`IdentityFile ${unset}/key\n`, /NOT_SET_ANYWHERE is not set/],
    [`Include ${scratch.at('endless')}\n`, /includes itself/],
  ])('says what is wrong with %j', async (config, text) => {
    await expect(byFiles('x', scratch.write('endless', config))).rejects.toThrow(text)
  })
})
