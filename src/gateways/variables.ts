/**
 * The variables of a spec, where a command line would carry them: all users of a machine may read that, and `env:` may be a secret. So
 * only those are on it that an interpreter must have from the start; the worker sets the others before there is any user code.
 */

const atStart =
  /^(?:PATH|HOME|PYTHON.*|LD_.*|DYLD_.*|LANG|LC_.*|TZ|.*_NUM_THREADS|MALLOC_.*|PYENV_.*|ASDF_.*|MISE_.*|CONDA_.*|VIRTUAL_ENV)$/

type Variables = Readonly<Record<string, string>>

/** Whether an interpreter, or what starts one, reads that variable before there is any user code. */
export function isReadAtStart(name: string): boolean {
  return atStart.test(name)
}

/** Those that a command line carries. */
export function variablesAtStart(env: Variables): Variables {
  return chosen(env, isReadAtStart)
}

/** Those that the worker sets. */
export function laterVariables(env: Variables): Variables {
  return chosen(env, (name) => !isReadAtStart(name))
}

function chosen(env: Variables, isWanted: (name: string) => boolean): Variables {
  return Object.assign(Object.create(null), Object.fromEntries(Object.entries(env).filter(([name]) => isWanted(name))))
}
