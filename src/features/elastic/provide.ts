/** `gateway.provide`: modules of this side can be imported on the other one. */
import type { BaseGateway } from '../../core.js'
import { ProvideError } from '../../errors.js'
import { topOf } from './library.js'
import { Provider } from './provider.js'
import { FolderRoot, type Root } from './root.js'
import { WheelRoot } from './wheel.js'

/** What remote code may import. */
export interface ProvideOptions {
  /** Folders that hold modules and packages, such as `./pylib` or a site-packages; what is in them is sent when it is imported. */
  readonly roots?: readonly string[] | undefined
  /** Packages and modules, by name, that are sent whole and at once, from `roots` or else from the working directory. */
  readonly packages?: readonly string[] | undefined
  /** Wheels without compiled code; they are provided as if they had been installed. */
  readonly wheels?: readonly string[] | undefined
}

const NAME = /^[\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*$/u
const providers = new WeakMap<BaseGateway, Provider>()

/**
 * Makes local modules importable on a gateway; see `Gateway.provide`.
 *
 * @throws {@link ProvideError} for what cannot be provided; {@link GatewayClosedError} when the gateway has ended.
 */
export function provide(gateway: BaseGateway, options: ProvideOptions): void {
  const { roots = [], packages = [], wheels = [] } = options
  const given: Root[] = [...roots.map((path) => new FolderRoot(path)), ...wheels.map((path) => new WheelRoot(path))]
  for (const name of packages) {
    if (!NAME.test(name))
      throw new ProvideError(`${JSON.stringify(name)} is no name of a package; folders go into roots`, { path: name })
  }
  let provider = providers.get(gateway)
  const missing = packages.filter(
    (name) => !given.some((root) => root.topLevelNames().has(topOf(name))) && provider?.has(name) !== true,
  )
  if (missing.length > 0) given.push(new FolderRoot('.', new Set(missing.map(topOf))))
  provider ??= new Provider(gateway)
  providers.set(gateway, provider)
  provider.provide(given, packages)
}
