// Puts questions to the policy simulator: {documents: {name: policy}, questions: [...]} on standard input, one answer for
// each question, in their order, on standard output. See simulator.py for what a question is.
import { anonymousPrincipal, runSimulation } from '@cloud-copilot/iam-simulate'
import { text } from 'node:stream/consumers'

const { documents, questions } = JSON.parse(await text(process.stdin))
const document = (name) => (name === null ? undefined : documents[name])

const answers = []
for (const question of questions) {
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
  answers.push(
    given.resultType === 'error'
      ? { error: given.errors }
      : { result: given.overallResult, ignored: given.result?.ignoredContextKeys ?? [] }
  )
}
process.stdout.write(JSON.stringify(answers))
