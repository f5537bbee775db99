// Temporal's own client starts a workflow as Mastra's Temporal package does: the workflow's type is its id, the run's id
// is the workflow's, and everything else is in one argument.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';

const { TEMPORAL, QUEUE } = process.env;
const connection = await Connection.connect({ address: TEMPORAL });
const client = new Client({ connection });

async function run(type, argument) {
  const runId = randomUUID();
  const start = { workflowId: runId, taskQueue: QUEUE, args: [{ runId, ...argument }] };
  return { runId, result: await client.workflow.execute(type, start) };
}

const order = {
  inputData: { total: 3 },
  initialState: {},
  requestContext: { tier: 'gold' },
  resourceId: 'ann',
  outputOptions: { includeState: true },
  tracingOptions: { tags: ['from typescript'] },
  perStep: false,
};
for (const type of ['orders', 'ordersWorkflow']) {
  const { result } = await run(type, order);
  assert.equal(result.status, 'success');
  assert.deepEqual(result.result, { shipped: 6, context: { tier: 'gold' }, resource: 'ann' });
  assert.deepEqual(result.input, { total: 3, note: 'none' });
  const { status, output, startedAt, endedAt } = result.steps.price;
  assert.deepEqual([status, output], ['success', { total: 3, price: 6 }]);
  assert.ok(startedAt <= endedAt);
}

await assert.rejects(run('failing', { inputData: { total: -1 } }), error => {
  assert.ok(error instanceof WorkflowFailedError);
  const [result] = error.cause.details;
  assert.equal(result.status, 'failed');
  assert.equal(result.error.message, 'below zero');
  return true;
});
await connection.close();
