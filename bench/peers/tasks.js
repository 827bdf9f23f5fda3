// SPDX-License-Identifier: MIT
// The peer of peers.py in Node: `node tasks.js WORK N [URL TASKS [CA_FILE]]` does the work N times,
// and prints the work, N, the CPU and the time in seconds, and the peak of the resident bytes.
const LIST = 1000; // functions that are waited for together

const [work, n, url, tasks, caFile] = [
  process.argv[2], Number(process.argv[3]), process.argv[4], Number(process.argv[5] || 64),
  process.argv[6],
];

const nothing = async () => {};
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function takeTurns(count) {
  await Promise.all(Array.from({ length: count }, async () => {
    for (let i = 0; i < n / count; i++) await turn();
  }));
}

// A queue of one item, where both sides wait.
class Channel {
  put(item) {
    if (this.receiver) {
      const resolve = this.receiver;
      this.receiver = null;
      resolve(item);
      return null;
    }
    if (!this.full) {
      [this.full, this.item] = [true, item];
      return null;
    }
    return new Promise((resolve) => { this.sender = { item, resolve }; });
  }

  take() {
    if (!this.full) return new Promise((resolve) => { this.receiver = resolve; });
    const item = this.item;
    this.full = false;
    if (this.sender) {
      const sender = this.sender;
      [this.full, this.item, this.sender] = [true, sender.item, null];
      sender.resolve();
    }
    return item;
  }
}

async function get() {
  const { Agent, request } = require("undici");
  const { readFileSync } = require("fs");
  const connect = caFile ? { ca: readFileSync(caFile) } : {};
  const dispatcher = new Agent({ connections: tasks, connect });
  await Promise.all(Array.from({ length: tasks }, async () => {
    for (let i = 0; i < Math.floor(n / tasks); i++) {
      const { statusCode, body } = await request(url, { dispatcher });
      const bytes = await body.bytes();
      if (statusCode !== 200 || bytes.length !== 1024) throw new Error("not as expected");
    }
  }));
  await dispatcher.close();
}

// undici's HTTP/2 is experimental, so this is Node's own.
async function getByHttp2() {
  const http2 = require("http2");
  const { origin, pathname } = new URL(url);
  const session = http2.connect(origin, { ca: require("fs").readFileSync(caFile) });
  const once = () => new Promise((resolve, reject) => {
    const stream = session.request({ ":path": pathname });
    const chunks = [];
    let status;
    stream.on("response", (headers) => { status = headers[":status"]; });
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => resolve([status, Buffer.concat(chunks)]));
  });
  await Promise.all(Array.from({ length: tasks }, async () => {
    for (let i = 0; i < Math.floor(n / tasks); i++) {
      const [status, bytes] = await once();
      if (status !== 200 || bytes.length !== 1024) throw new Error("not as expected");
    }
  }));
  session.close();
}

const works = {
  start: nothing,
  async spawn_await() {
    for (let i = 0; i < n; i++) await nothing();
  },
  async spawn_gather() {
    for (let i = 0; i < n / LIST; i++) {
      await Promise.all(Array.from({ length: LIST }, nothing));
    }
  },
  yield_2: () => takeTurns(2),
  yield_50: () => takeTurns(50),
  async hand_off() {
    const channel = new Channel();
    const send = async () => {
      for (let i = 1; i <= n; i++) await channel.put(i);
    };
    const sent = send();
    let sum = 0;
    for (let i = 1; i <= n; i++) sum += await channel.take();
    await sent;
    if (sum !== n * (n + 1) / 2) throw new Error("an item was lost");
  },
  async sleeps() {
    const sleep = () => new Promise((resolve) => setTimeout(resolve, 1000));
    await Promise.all(Array.from({ length: n }, async () => { await sleep(); }));
  },
  get,
  get_h1: get,
  get_h2: getByHttp2,
};

async function main() {
  const cpu0 = process.cpuUsage();
  const t0 = process.hrtime.bigint();
  await works[work]();
  const cpu = process.cpuUsage(cpu0);
  const seconds = Number(process.hrtime.bigint() - t0) / 1e9;
  const peak = process.resourceUsage().maxRSS * 1024;
  console.log(work, n, (cpu.user + cpu.system) / 1e6, seconds, peak);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
