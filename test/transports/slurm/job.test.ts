// Which node each task of a job has, as Slurm writes it.
import { expect, it } from 'vitest'
import { nodesOfTasks } from '../../../src/gateways/kinds/slurm/job.js'

it.each([
  ['1', ['n1'], ['n1']],
  ['2(x2)', ['n1', 'n2'], ['n1', 'n1', 'n2', 'n2']],
  ['3,1(x2)', ['a', 'b', 'c'], ['a', 'a', 'a', 'b', 'c']],
  ['2,1', ['a', 'b', 'c'], ['a', 'a', 'b', 'c']],
])('reads %s', (counts, nodes, expected) => {
  expect(nodesOfTasks(counts, nodes)).toEqual(expected)
})
