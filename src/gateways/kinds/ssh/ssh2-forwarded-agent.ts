/** The agent that programs on a host may use: a connection to it keeps no process alive, as one of theirs may stay for long. */
import type { BaseAgent } from 'ssh2'

/** @param path - Its socket. */
export async function agentToForward(path: string): Promise<BaseAgent> {
  const { default: ssh2 } = await import('ssh2')
  const agent = ssh2.createAgent(path)
  const open = agent.getStream?.bind(agent)
  if (open === undefined) return agent
  agent.getStream = (opened) =>
    open((error, stream) => {
      if (stream !== undefined && 'unref' in stream) (stream as unknown as { unref(): void }).unref() // a socket at run time
      opened(error, stream)
    })
  return agent
}
