// Mastra's own client, unmodified, against the Python server: `node client.mjs SCENARIO`.
// A scenario fails by an assertion; the exit status tells.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { MastraClient } from '@mastra/client-js';

const client = new MastraClient({ baseUrl: process.env.API, retries: 0 });
const orders = client.getWorkflow('orders');
const inputData = { total: 3 };
const approved = { step: 'approve', resumeData: { approved: true } };

async function all(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

async function until(condition) {
  for (let tries = 0; tries < 600; tries++) {
    const value = await condition();
    if (value) return value;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  assert.fail('waited in vain');
}

const reaches = (workflow, runId, status) =>
  until(async () => {
    const run = await workflow.runById(runId);
    return run.status === status ? run : undefined;
  });

async function suspended(id) {
  const workflow = client.getWorkflow(id);
  const run = await workflow.createRun();
  const result = await run.startAsync({ inputData });
  assert.equal(result.status, 'suspended');
  return { workflow, run, result };
}

async function refused(promise, status, words) {
  await assert.rejects(promise, error => {
    assert.equal(error.status, status, error.message);
    assert.match(error.message, words);
    assert.doesNotMatch(error.message, /Traceback|File "/);
    return true;
  });
}

const scenarios = {
  async reading() {
    const listed = await client.listWorkflows();
    assert.ok(listed.orders.stepGraph.length === 2);
    assert.ok((await client.listWorkflows(undefined, true)).orders.stepCount === 2);
    const details = await orders.details();
    assert.equal(details.description, 'Prices and ships');
    const { inputSchema, outputSchema } = await orders.getSchema();
    assert.equal(inputSchema.properties.total.type, 'integer');
    assert.equal(outputSchema, null);

    const run = await orders.createRun({ resourceId: 'ann' });
    const result = await run.startAsync({ inputData });
    assert.equal(result.status, 'success');
    assert.equal(result.result.shipped, 6);
    const record = await orders.runById(run.runId);
    assert.equal(record.resourceId, 'ann');
    assert.equal(record.steps.price.output.price, 6);
    const part = await orders.runById(run.runId, { fields: ['result'], withNestedWorkflows: false });
    assert.equal(part.result.shipped, 6);
    assert.equal(part.steps, undefined);
    const runs = await until(async () => {
      const found = await orders.runs({ resourceId: 'ann', status: 'success', page: 0, perPage: 10 });
      return found.total === 1 ? found : undefined;
    });
    assert.equal(runs.runs[0].runId, run.runId);
    assert.equal((await orders.runs({ fromDate: new Date(Date.now() + 1e6) })).total, 0);
    assert.ok('suspended' in (await client.listWorkflowRunCounts()).orders);
    assert.match((await orders.deleteRunById(run.runId)).message, /deleted/);
    await refused(orders.runById(run.runId), 404, /Workflow run not found/);
  },

  async starting() {
    const run = await orders.createRun({ runId: randomUUID() });
    assert.deepEqual(await run.start({ inputData, requestContext: { tier: 'gold' } }), {
      message: 'Workflow run started',
    });
    const record = await reaches(orders, run.runId, 'success');
    assert.deepEqual(record.result.context, { tier: 'gold' });

    const failing = client.getWorkflow('failing');
    const result = await (await failing.createRun()).startAsync({ inputData: { total: -1 } });
    assert.equal(result.status, 'failed');
    assert.ok(result.error instanceof Error);
    assert.equal(result.error.message, 'below zero');

    const stepwise = await (await orders.createRun()).startAsync({ inputData, perStep: true });
    assert.equal(stepwise.status, 'paused');

    const sleepy = client.getWorkflow('sleepy');
    for (const cancel of ['cancel', 'cancelRun']) {
      const sleeper = await sleepy.createRun();
      await sleeper.start({ inputData });
      await reaches(sleepy, sleeper.runId, 'waiting');
      assert.deepEqual(await sleeper[cancel](), { message: 'Workflow run cancelled' });
      await reaches(sleepy, sleeper.runId, 'canceled');
    }
  },

  async streaming() {
    const run = await orders.createRun();
    const events = await all(await run.stream({ inputData, resourceId: 'ann', tracingOptions: { tags: ['a'] } }));
    assert.equal(events[0].type, 'workflow-start');
    assert.equal(events.at(-1).payload.workflowStatus, 'success');
    assert.deepEqual(await all(await run.observe()), events);
    assert.deepEqual(await all(await run.observeStream()), events);
    assert.deepEqual(await all(await run.observe({ offset: 4 })), events.slice(4));

    // A connection is dropped in the middle: nothing is lost, and nothing is told twice.
    const again = await client.getWorkflow('approvals').createRun();
    const seen = [];
    for await (const event of await again.stream({ inputData, closeOnSuspend: false })) {
      seen.push(event);
      if (seen.length === 3) break;
    }
    await reaches(client.getWorkflow('approvals'), again.runId, 'suspended');
    const rest = all(await again.observe({ offset: seen.length }));
    await again.resumeAsync(approved);
    const whole = await all(await again.observe());
    assert.deepEqual([...seen, ...(await rest)], whole);
  },

  async resuming() {
    const answered = await suspended('approvals');
    assert.equal((await answered.run.resumeAsync(approved)).result.shipped, 6);

    const told = await suspended('approvals');
    assert.deepEqual(await told.run.resume(approved), { message: 'Workflow run resumed' });
    await reaches(told.workflow, told.run.runId, 'success');

    const unwaited = await suspended('approvals');
    assert.deepEqual(await unwaited.run.resumeNoWait(approved), { runId: unwaited.run.runId });
    await reaches(unwaited.workflow, unwaited.run.runId, 'success');

    const streamed = await suspended('approvals');
    const events = await all(await streamed.run.resumeStream(approved));
    assert.equal(events.at(-1).payload.workflowStatus, 'success');

    await refused(streamed.run.resumeAsync(approved), 409, /not suspended/);
    const twice = await suspended('approvals');
    const both = await Promise.allSettled([twice.run.resumeAsync(approved), twice.run.resumeAsync(approved)]);
    assert.deepEqual(both.map(each => each.status).sort(), ['fulfilled', 'rejected']);
    assert.equal(both.find(each => each.status === 'rejected').reason.status, 409);
    const wrong = await suspended('approvals');
    await refused(wrong.run.resume({ step: 'approve', resumeData: { approved: 'what' } }), 400, /issues/);
  },

  async nested() {
    const { workflow, run, result } = await suspended('nested');
    assert.deepEqual(result.suspended, [['approval', 'approve']]);
    const record = await workflow.runById(run.runId);
    assert.equal(record.steps['approval.approve'].suspendPayload.question, '6?');
    const resumed = await run.resumeAsync({ step: result.suspended[0], resumeData: { approved: false } });
    assert.equal(resumed.status, 'success');
    assert.equal(resumed.result.shipped, 0);
  },

  async travelling() {
    const run = await orders.createRun();
    await run.startAsync({ inputData });
    const there = price => ({ step: 'ship', inputData: { total: 1, price } });
    assert.equal((await run.timeTravelAsync(there(8))).result.shipped, 8);
    const events = await all(await run.timeTravelStream(there(9)));
    assert.equal(events.at(-1).payload.workflowStatus, 'success');
    assert.match((await run.timeTravel(there(10))).message, /time travel/);
    assert.equal((await reaches(orders, run.runId, 'success')).result.shipped, 10);
    await refused(run.timeTravelAsync({ step: 'nowhere' }), 400, /nowhere/);
  },

  async killed() {
    const gated = client.getWorkflow('gated');
    const run = await gated.createRun();
    await run.start({ inputData });
    await until(async () => (await gated.runById(run.runId)).steps.wait?.status === 'running');
    process.kill(Number(process.env.WORKER), 'SIGKILL'); // the test starts another one
    const result = await run.restartAsync();
    assert.equal(result.status, 'success');
    assert.deepEqual(await run.restart({}), { message: 'Workflow run restarted' });
    const { run: waiting } = await suspended('approvals');
    await refused(waiting.restart({}), 409, /not active/);
  },

  async schedules() {
    const schedule = await client.createSchedule({ id: 'n', workflowId: 'orders', cron: '0 0 1 1 *', inputData });
    assert.equal(schedule.id, 'schedule_n');
    assert.ok(schedule.nextFireAt > Date.now());
    assert.ok(schedule.createdAt <= Date.now() + 1000);
    const { id } = schedule;
    await until(async () => (await client.listSchedules({ workflowId: 'orders' })).schedules.some(s => s.id === id));
    assert.equal((await client.pauseSchedule(id)).status, 'paused');
    assert.equal((await client.resumeSchedule(id)).status, 'active');
    assert.equal((await client.updateSchedule(id, { cron: '0 0 2 1 *' })).cron, '0 0 2 1 *');
    const { claimId } = await client.runSchedule(id);
    await reaches(orders, claimId, 'success');
    const { triggers } = await until(async () => {
      const found = await client.listScheduleTriggers(id, { limit: 5 });
      return found.triggers.length ? found : undefined;
    });
    assert.equal(triggers[0].runId, claimId);
    assert.equal(triggers[0].triggerKind, 'manual');
    assert.equal((await client.getSchedule(id)).status, 'active');
    assert.match((await client.deleteSchedule(id)).message, /deleted/);
    await refused(client.getSchedule(id), 404, /Schedule not found/);
  },

  async errors() {
    await refused(client.getWorkflow('nothing').details(), 404, /Workflow not found/);
    await refused(orders.runById('nothing'), 404, /Workflow run not found/);
    await refused(orders.deleteRunById('nothing'), 404, /Workflow run not found/);
    const run = await orders.createRun();
    await refused(run.startAsync({ inputData: { total: 'many' } }), 400, /"field":"total"/);
    await refused(run.start({ inputData: {} }), 400, /Invalid input data/);
    await refused(run.stream({ inputData: {} }), 400, /Invalid input data/);
    await refused(run.resume(approved), 409, /not suspended/);
    await refused(client.createSchedule({ workflowId: 'orders', cron: 'never' }), 400, /cron/i);
    assert.deepEqual(await client.listAgents(), {});
    assert.deepEqual(await client.listTools(), {});
  },
};

await scenarios[process.argv[2]]();
