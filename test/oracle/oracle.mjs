// Answers simulations, one a line, each with one line: what @cloud-copilot/iam-simulate decides.
import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await answer(line)) + '\n')
}

async function answer (line) {
  try {
    const decided = await runSimulation(JSON.parse(line), {})
    if (decided.resultType === 'error') return { error: JSON.stringify(decided.errors) }
    return { result: decided.overallResult, ignored: decided.result?.ignoredContextKeys ?? [] }
  } catch (error) {
    return { error: String(error.stack) }
  }
}
