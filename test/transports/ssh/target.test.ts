// The value of `ssh=` is read as ssh reads its own command line, and what could be taken for something else is refused.
import { describe, expect, it } from 'vitest'
import { XSpecError } from '../../../src/errors.js'
import { parseHops, parseTarget } from '../../../src/specs/ssh-target.js'
import { makeScratch } from './scratch.js'

const scratch = makeScratch()
const config = scratch.write('config', '')
const key = scratch.write('key file', '')

describe('parseTarget', () => {
  it.each([
    ['web1', [], 'web1', []],
    ['user@web1', [], 'user@web1', ['User user']],
    ['a@b@web1', [], 'a@b@web1', ['User a@b']],
    ['-p 5000 user@web1', ['-p', '5000'], 'user@web1', ['Port 5000', 'User user']],
    ['-p5000 web1', ['-p', '5000'], 'web1', ['Port 5000']],
    ['web1 -p 5000', ['-p', '5000'], 'web1', ['Port 5000']],
    ['-l user -- web1', ['-l', 'user'], 'web1', ['User user']],
    ['-o Port=22 -oUser=x web1', ['-o', 'Port=22', '-o', 'User=x'], 'web1', ['Port=22', 'User=x']],
    ['-A4p 22 web1', ['-A', '-4', '-p', '22'], 'web1', ['ForwardAgent yes', 'AddressFamily inet', 'Port 22']],
    ['-6 -J a@b:22,c ::1', ['-6', '-J', 'a@b:22,c'], '::1', ['AddressFamily inet6', 'ProxyJump a@b:22,c']],
    ['-o "ProxyCommand=nc %h %p" web1', ['-o', 'ProxyCommand=nc %h %p'], 'web1', ['ProxyCommand=nc %h %p']],
    ['ssh://user@web1:2222', ['-p', '2222'], 'user@web1', ['User user', 'Port 2222']],
    ['ssh://[::1]:2222/', ['-p', '2222'], '::1', ['Port 2222']],
    ['-qTx web1', ['-q', '-T', '-x'], 'web1', []],
  ])('reads %s', (value, words, destination, lines) => {
    expect(parseTarget(value)).toMatchObject({ words, destination, lines, configFile: undefined })
  })

  it('keeps a path with a blank in one word', () => {
    expect(parseTarget(`-i '${key}' web1`)).toMatchObject({ words: ['-i', key], lines: [`IdentityFile "${key}"`] })
  })

  it('takes a configuration file from -F and from ssh_config= alike', () => {
    expect(parseTarget(`-F ${config} web1`)).toEqual(parseTarget('web1', { configFile: config }))
    expect(parseTarget('-F none web1').configFile).toBe('none')
  })

  it.each([
    ['', 'names no host'],
    ['-p 22', 'names no host'],
    ['-N web1', 'has the option -N'],
    ['-L 1:b:2 web1', 'has the option -L'],
    ['-4W x web1', 'has the option -W'],
    ['web1 -p', 'gives the option -p no value'],
    ['-p 0 web1', 'has the port 0'],
    ['-p 65536 web1', 'has the port 65536'],
    ['web1 ls -l', 'has "ls" behind the host web1'],
    ['-F /nowhere/at/all web1', 'asks for the ssh configuration /nowhere/at/all'],
    ['-- -oProxyCommand=x', 'has the host "-oProxyCommand=x"'],
    ['user@-oProxyCommand=x', 'has the host "-oProxyCommand=x"'],
    ['-x@web1', 'has the option -@'],
    ['-- -x@web1', 'has the user "-x"'],
    ['-l -x web1', 'has the user "-x"'],
    ['@web1', 'has the user ""'],
    ['$(id)@web1', 'has the user "$(id)"'],
    ['web1;id', 'has the host "web1;id"'],
    ['we\nb1', 'control characters'],
    ['"web1', 'not closed'],
  ])('refuses %j', (value, fault) => {
    expect(() => parseTarget(value)).toThrow(XSpecError)
    expect(() => parseTarget(value)).toThrow(fault)
  })

  it('refuses two configuration files', () => {
    expect(() => parseTarget('-F none web1', { configFile: config })).toThrow('has two configuration files')
  })
})

describe('parseHops', () => {
  it('reads the last hop under the configuration of the host behind it, through those before it, and nothing else of it', () => {
    const target = parseTarget('-p 5000 -l me web1', { configFile: config })
    expect(parseHops(['user@bastion:2222'], target)).toMatchObject({
      words: ['-F', config, '-p', '2222'],
      destination: 'user@bastion',
    })
    expect(parseHops(['a@b:1', '[::1]:2', 'ssh://[::2]:22'], { configFile: undefined })).toMatchObject({
      words: ['-J', 'a@b:1,[::1]:2', '-p', '22'],
      destination: '::2',
    })
  })
})
