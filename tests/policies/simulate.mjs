// Puts questions to the policy simulator. Each line of standard input is {documents: {name: policy}, questions: [...]};
// documents are kept for later lines. Each line of standard output has one answer for each question, in their order.
// simulator.py says what a question is.
import { anonymousPrincipal, runSimulation } from '@cloud-copilot/iam-simulate'
import { createInterface } from 'node:readline'

const documents = {}
const document = (name) => (name === null ? undefined : documents[name])

async function answer(question) {
  const given = await runSimulation(
    {
      request: {
        principal: question.principal ?? anonymousPrincipal,
        action: question.action,
        resource: { resource: question.resource, accountId: question.owner },
        contextVariables: question.context
      },
      identityPolicies: question.identity.map((name) => ({ name, policy: document(name) })),
      sessionPolicy: document(question.session),
      resourcePolicy: document(question.resource_policy),
      serviceControlPolicies: [],
      resourceControlPolicies: []
    },
    {}
  )
  return given.resultType === 'error' ? { error: given.errors } : { result: given.overallResult }
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line)
  Object.assign(documents, asked.documents)
  const answers = []
  for (const question of asked.questions) answers.push(await answer(question))
  process.stdout.write(JSON.stringify(answers) + '\n')
}
