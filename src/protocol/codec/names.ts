/**
 * Every name that a pickle may hold, and what is made of it (PROTOCOL.md §6). Python's pickler writes
 * its own containers under Python's names; all else has ours.
 */

import { LoadError } from '../../errors.js'
import { FrozenSet } from '../values.js'
import { Arguments } from './arguments.js'
import { CLASH } from './clashes.js'
import { addKey } from './containers.js'
import { fromDocument } from './js-values.js'
import type { Builder, Counting } from './named.js'
import { numberArray } from './number-arrays.js'
import { readPickle } from './pickle-reader.js'
import { latin1Bytes } from './text.js'
import { valueTypeNamed } from './value-types.js'

const CODECS = '_codecs'
/** Python 2's name: Python 3 writes it too in protocol 2, and both read it. */
export const BUILTINS = '__builtin__'
/** Where the kinds of references are found. */
export const REFERENCE_MODULE = '_tendril'
export const VALUES_MODULE = '_tendril.values'

const python = new Map<string, Builder>([
  ['set', hashable],
  ['frozenset', (args, counting) => new FrozenSet(hashable(args, counting))],
  ['bytes', (args) => toBytes('bytes', args)],
  ['bytearray', (args) => toBytes('bytearray', args)],
])

const ours = new Map<string, Builder>([
  // A value of a subclass: what it is a subclass of.
  ['base', (args) => new Arguments('base', args).any(0)],
  // Empty: the members of a list or dict of a subclass follow.
  ['plain_list', () => []],
  ['plain_dict', () => ({})],
  ['array', (args) => numberArray(new Arguments('array', args).text(0), new Arguments('array', args).bytes(1))],
  [
    'JSValue',
    (args, counting) =>
      fromDocument(new Arguments('JSValue', args).text(0), {
        spend: (bytes) => {
          counting.spend(bytes)
          counting.checkMemory()
        },
        loads: (payload) => readPickle(payload, { ...counting.bounds, lookup: builderOf }),
      }),
  ],
])

/** What a name makes; undefined for a name that is not on the list. */
export function builderOf(module: string, name: string): Builder | undefined {
  if (module === VALUES_MODULE) return ours.get(name) ?? valueBuilder(name)
  if (module === BUILTINS || module === 'builtins') return python.get(name)
  if (module === CODECS && name === 'encode') return (args) => toBytes('encode', args)
  return undefined
}

function valueBuilder(name: string): Builder | undefined {
  const type = valueTypeNamed(name)
  return type && ((args, { clashes }) => type.load(new Arguments(name, args), clashes))
}

/** `bytes()`, `bytearray(bytes)`, and text of one character a byte with the name of that encoding. */
function toBytes(name: string, values: readonly unknown[]): Uint8Array {
  const args = new Arguments(name, values)
  if (args.count === 0) return new Uint8Array(0)
  const data = args.any(0)
  if (data instanceof Uint8Array) return data
  const bytes = latin1Bytes(args.text(0))
  const encoding = args.text(1)
  if (bytes === undefined || !/^latin-?1$/.test(encoding)) throw args.error(0, 'is not latin-1 text')
  return bytes
}

/** The members, in a set of their own. */
function hashable(values: readonly unknown[], { clashes }: Counting): Set<unknown> {
  const members = new Arguments('set', values).items(0)
  for (const member of members) addKey(member)
  const set = new Set()
  if (clashes.add(set, members, 0, members.length)) throw new LoadError(`cannot load an item: ${CLASH}`)
  for (const member of members) set.add(member)
  if (set.size !== members.length) {
    throw new LoadError('cannot load an item: two members of a set are one member in JavaScript')
  }
  return set
}
