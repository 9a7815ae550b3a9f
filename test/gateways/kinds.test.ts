import { expect, it } from 'vitest'
import { kindOf } from '../../src/gateways/kinds.js'
import { XSpec } from '../../src/specs/xspec.js'

it.each([
  [
    'popen//namespace=prod',
    /"namespace" in "popen\/\/namespace=prod" is about .* "kubectl", not "popen"; leave it out/,
  ],
  ['docker=web//context=lab', /"context" .* "kubectl", not "docker"/],
  ['ssh=web1//tls', /"tls" .* "socket", "ws", not "ssh"/],
  ['socket=127.0.0.1:1//engine=ssh2', /"engine" .* "ssh", "vagrant_ssh", not "socket"/],
  ['sudo=root//slurm_options=--mem=2G', /"slurm_options" .* "slurm", not "sudo"/],
  ['kubectl=shop-0//container=app//time=10m', /"time" .* "slurm", not "kubectl"/],
  ['ws=ws://127.0.0.1:1//installvia=a', /"installvia" .* "socket", not "ws"/],
  ['slurm=main//nodes=2//container=a', /"container" .* not "slurm"; leave it out/],
  ['vagrant_ssh=default//ca=a', /"ca" .* not "vagrant_ssh"/],
  ['command=a {python}//ssh_config=a', /"ssh_config" .* not "command"/],
])('refuses a key that is about other kinds: %s', (spec, message) => {
  expect(() => kindOf(XSpec.parse(spec))).toThrow(message)
})

it.each([
  'popen//id=a//python=python3//chdir=/tmp//nice=5//env:A=b//via=b//tag=c//timeout=5s//roots=.//threads=2//preload=json',
  'kubectl=shop-0//namespace=prod//container=app//context=lab',
  'ssh=web1//engine=openssh//ssh_config=none//via=b',
  'socket=127.0.0.1:1//tls//ca=a//fingerprint=b//token_file=c',
  'socket//installvia=a',
  'slurm=main//nodes=2//time=10m//slurm_options=--mem=2G',
])('takes the keys of the kind, and those that are about all: %s', (spec) => {
  expect(spec).toContain(kindOf(XSpec.parse(spec)).key)
})
