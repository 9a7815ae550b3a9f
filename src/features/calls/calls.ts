/** What users have a worker do by name or as text: call functions, read values, evaluate and execute sources. */
import { DumpError, dedent, isAbortSignal, isPlainObject, readSource, type Source } from '../../core.js'
import type { CallOptions } from './call-options.js'
import { titleOf } from './pending.js'
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
    refuseSignals(kwargs, `the keyword arguments of ${path}`, 'call')
    return session.requestWith(options, 'call', path, args ?? [], kwargs ?? {})
  } catch (error) {
    return Promise.reject(error)
  }
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
  refuseOptions(names, text, 'eval')
  return whatItCameTo(session.requestWith(options, 'eval', dedent(text), names ?? {}))
}

/** As {@link evaluate}, for a template: its values are what is bound. */
export async function evaluateTemplate(
  session: Session,
  templates: SentTemplates,
  [strings, ...values]: readonly [TemplateStringsArray, ...unknown[]],
  tag: (...args: never[]) => unknown,
  options: CallOptions | undefined,
): Promise<unknown> {
  const number = templates.numberOf(strings, tag)
  const title = (): string => titleOf('py', strings.raw.join('…'))
  return whatItCameTo(session.requestNow(options, title, 'template', number, values))
}

/** Of a value that cannot be sent nobody may want to know: the statement was made for what it does. */
async function whatItCameTo(value: Promise<unknown>): Promise<unknown> {
  try {
    return await value
  } catch (error) {
    if (!(error instanceof DumpError) || !/^result\b/.test(error.path)) throw error
    const { message, path, cause } = error
    throw new DumpError(`${message.replace(/\.$/, '')}. The code has run; \`execute\` does not send a value`, {
      path,
      cause,
    })
  }
}

/** What `execute` takes. */
export interface ExecuteOptions extends CallOptions {
  /** Values that are variables in the source, and nowhere else. */
  readonly names?: Names | null | undefined
}

/** Has a source executed where evaluated text finds what it defines. */
export async function executeSource(
  session: Session,
  source: Source,
  options: ExecuteOptions | undefined,
): Promise<void> {
  const isSource = typeof source === 'string' || (typeof source === 'object' && source !== null)
  if (!isSource) throw new TypeError(`what is executed must be Python text or a file, not ${nameOf(source)}`)
  const { source: text, file, function: functionName } = readSource(source)
  if (functionName !== null) {
    throw new TypeError(`execute runs a whole source: call ${functionName} with gateway.call afterwards`)
  }
  const names = options?.names
  checkNames(names, 'the names')
  refuseOptions(names, typeof text === 'string' ? text : Buffer.from(text).toString('latin1'), 'execute')
  const isBare = names == null || Object.keys(names).length === 0
  await session.requestWith(options, 'execute', text, file, ...(isBare ? [] : [names]))
}

/** An AbortSignal is no value for Python. @param what - They belong to, for the error. @param method - Of the gateway; of its objects when absent. */
export function refuseSignals(values: unknown, what: string, method?: string): void {
  const members = (values ?? {}) as Readonly<Record<string, unknown>>
  // Not by entries, which cost more than all else that is done with many.
  for (const name of Object.keys(members)) {
    if (!isAbortSignal(members[name])) continue
    throw new TypeError(
      `${what} are values for Python, and "${name}" is an AbortSignal: to abort the work write gateway.with({ signal }).${method === undefined ? 'modules, or ref, and call what that has' : `${method}(…)`}`,
    )
  }
}

const optionNames = ['timeout', 'signal', 'killAfter'] as const

/** What was meant as an option would be bound in vain; a name that the text has is one. */
export function refuseOptions(names: Names | null | undefined, text: string, method: string): void {
  refuseSignals(names, 'the names', method)
  for (const name of optionNames) {
    if (names == null || !Object.hasOwn(names, name) || new RegExp(`(?<!\\w)${name}(?!\\w)`).test(text)) continue
    throw new TypeError(
      `the names are values for Python, and the text has no "${name}": if it was meant for the call write gateway.with({ ${name} }).${method}(…)`,
    )
  }
}

function checkPath(path: string): void {
  if (typeof path === 'string' && path !== '') return
  throw new TypeError(
    `a dotted name such as 'os.path.join' is needed, not ${path === '' ? 'an empty text' : nameOf(path)}`,
  )
}

function checkNames(names: Names | null | undefined, what: string): void {
  if (names != null && (typeof names !== 'object' || !isPlainObject(names))) {
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
