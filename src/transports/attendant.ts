/**
 * Ends processes that would outlive this program, were it killed: interpreters on their way to a worker, which nobody watches yet. It is
 * a small process of its own, and there only while it has any to attend to. Carriers have the same one (twin: src/gateways/carriers/attending.py).
 */
import { type ChildProcess, spawn } from 'node:child_process'

/**
 * For sh. It reads `+ GROUP` and `- GROUP`, process groups to end when its input has come to an end; a moment later, as who waits for that
 * input leaves by itself.
 */
export const attendantScript = `trap "" HUP INT TERM
exec >/dev/null 2>&1
cd /
p=" "
while read -r verb group
do case $verb in
+) p="$p$group ";;
-) case $p in *" $group "*) p="\${p%% $group *} \${p#* $group }";; esac;;
esac
done
test "$p" = " " && exit
sleep 0.5 || sleep 1
for group in $p
do kill -KILL -$group
done`

/** What is attended to, by its process group. */
const groups = new Set<number>()
let attendant: ChildProcess | undefined

/** Has a process that leads a group end with this program. @returns Has it live its own life; to be called when it has ended, too. */
export function attend(group: number): () => void {
  if (process.platform === 'win32') return () => undefined
  if (attendant === undefined) attendant = start()
  groups.add(group)
  attendant?.stdin?.write(`+ ${group}\n`)
  return () => release(group)
}

function release(group: number): void {
  if (!groups.delete(group)) return
  attendant?.stdin?.write(`- ${group}\n`)
  if (groups.size > 0) return
  attendant?.stdin?.end()
  attendant = undefined
}

/** @returns Nothing where no process can be started: then an interpreter that hangs may outlive us. */
function start(): ChildProcess | undefined {
  try {
    const { PATH = '' } = process.env
    const child = spawn('sh', ['-c', attendantScript], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      env: { PATH },
    })
    child.on('error', () => undefined)
    child.stdin.on('error', () => undefined) // somebody has killed it
    child.unref()
    if ('unref' in child.stdin) (child.stdin as unknown as { unref(): void }).unref() // at run time a socket, which its type does not say
    return child
  } catch {
    return undefined
  }
}
