// SPDX-License-Identifier: MIT
// jobs_bullmq.js SOCKET N CONCURRENCY: the peer of jobs.py in BullMQ. N jobs that do nothing are
// put in batches of 1000, four at a time. Prints the jobs and the seconds.
const { Queue, Worker } = require("bullmq");

const [path, n, concurrency] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const connection = { path, maxRetriesPerRequest: null };

async function main() {
  const queue = new Queue("bench", { connection });
  await queue.waitUntilReady();
  const began = process.hrtime.bigint();
  let next = 1;
  const produce = async () => {
    while (next <= n) {
      const list = [];
      const last = Math.min(next + 999, n);
      for (let i = next; i <= last; i++) {
        list.push({ name: "job", data: { number: i }, opts: { jobId: "job " + i } });
      }
      next = last + 1;
      await queue.addBulk(list);
    }
  };
  await Promise.all([produce(), produce(), produce(), produce()]);
  const put = process.hrtime.bigint();
  let done = 0;
  await new Promise((resolve) => {
    const worker = new Worker("bench", async () => {}, { connection, concurrency });
    worker.on("completed", () => {
      if (++done === n) resolve(worker);
    });
  });
  const end = process.hrtime.bigint();
  const seconds = (from, to) => (Number(to - from) / 1e9).toFixed(6);
  console.log(`put ${n} jobs ${seconds(began, put)} s 0 s of CPU`);
  console.log(`run ${done} jobs ${seconds(put, end)} s 0 s of CPU`);
  console.log(`all ${done} jobs ${seconds(began, end)} s 0 s of CPU`);
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
