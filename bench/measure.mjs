// One side of one work, in this process alone: `node measure.mjs tendril|raw WORK PYTHON [BED]` prints its figures as JSON.
import { works } from './works.mjs'

const [side, name, python, bed = '{}'] = process.argv.slice(2)
const work = works.find((each) => each.name === name)
process.stdout.write(`${JSON.stringify(await work[side](python, JSON.parse(bed)))}\n`)
