/** What users have a worker do by name or as text: call functions, read values, evaluate and execute sources. */
import { dedent, readSource, type Source } from '../core.js'
import type { CallOptions } from './aborting.js'
import type { Session } from './session.js'
import type { SentTemplates } from './template.js'

/** Values by name. */
export type Names = Readonly<Record<string, unknown>>

/** Has a function called, and gives what it returned. Not an async function itself: of calls there are many. */
export function callFunction(
  session: Session,
  path: string,
  args: readonly unknown[] | null | undefined,
  kwargs: Names | null | undefined,
  options: CallOptions | undefined,
): Promise<unknown> {
  try {
    checkPath(path)
    if (args != null && !Array.isArray(args))
      throw new TypeError(`the arguments of ${path} must be in an array: [value]`)
    checkNames(kwargs, `the keyword arguments of ${path}`)
  } catch (error) {
    return Promise.reject(error)
  }
  return session.requestWith(options, 'call', path, args ?? [], kwargs ?? {})
}

/** The value of a dotted name. */
export async function getValue(session: Session, path: string, options: CallOptions | undefined): Promise<unknown> {
  checkPath(path)
  return session.requestWith(options, 'get', path)
}

/** Has Python text evaluated, with values bound to names, and gives the value of its last expression. */
export async function evaluate(
  session: Session,
  text: string,
  names: Names | null | undefined,
  options: CallOptions | undefined,
): Promise<unknown> {
  if (typeof text !== 'string') throw new TypeError(`what is evaluated must be Python text, not ${nameOf(text)}`)
  checkNames(names, 'the names')
  return session.requestWith(options, 'eval', dedent(text), names ?? {})
}

/** As {@link evaluate}, for a template: its values are what is bound. */
export async function evaluateTemplate(
  session: Session,
  templates: SentTemplates,
  [strings, ...values]: readonly [TemplateStringsArray, ...unknown[]],
  tag: (...args: never[]) => unknown,
): Promise<unknown> {
  return session.request('template', templates.numberOf(strings, tag), values)
}

/** Has a source executed where evaluated text finds what it defines. */
export async function executeSource(session: Session, source: Source, options: CallOptions | undefined): Promise<void> {
  const isSource = typeof source === 'string' || (typeof source === 'object' && source !== null)
  if (!isSource) throw new TypeError(`what is executed must be Python text or a file, not ${nameOf(source)}`)
  const { source: text, file, function: functionName } = readSource(source)
  if (functionName !== null) {
    throw new TypeError(`execute runs a whole source: call ${functionName} with gateway.call afterwards`)
  }
  await session.requestWith(options, 'execute', text, file)
}

function checkPath(path: string): void {
  if (typeof path === 'string' && path !== '') return
  throw new TypeError(
    `a dotted name such as 'os.path.join' is needed, not ${path === '' ? 'an empty text' : nameOf(path)}`,
  )
}

function checkNames(names: Names | null | undefined, what: string): void {
  const prototype: unknown = names == null ? null : Object.getPrototypeOf(names)
  if (names != null && (typeof names !== 'object' || (prototype !== null && prototype !== Object.prototype))) {
    throw new TypeError(`${what} must be in a plain object: { name: value }`)
  }
}

function nameOf(value: unknown): string {
  return value === null
    ? 'null'
    : Array.isArray(value)
      ? 'an array'
      : `${/^[aeiou]/.test(typeof value) ? 'an' : 'a'} ${typeof value}`
}
