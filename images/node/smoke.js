// Runs code as the image's user would: promises, a thread, digests, TLS, compression, and a program of its own.
'use strict';
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const tls = require('node:tls');
const { Worker } = require('node:worker_threads');
const zlib = require('node:zlib');

async function main() {
  const squares = await Promise.all([0, 1, 2, 3, 4].map(async (number) => number ** 2));
  assert.deepEqual(squares, [0, 1, 4, 9, 16]);
  const worker = new Worker("require('node:worker_threads').parentPort.postMessage(6 * 7)", { eval: true });
  assert.equal(await new Promise((done, failed) => worker.once('message', done).once('error', failed)), 42);
  assert.equal(crypto.createHash('sha256').digest('hex').slice(0, 8), 'e3b0c442');
  assert.equal(zlib.gunzipSync(zlib.gzipSync('swarm'.repeat(100))).toString(), 'swarm'.repeat(100));
  assert.ok(tls.rootCertificates.length > 50);
  const folder = fs.mkdtempSync(path.join(os.homedir(), 'smoke-'));
  try {
    const program = path.join(folder, 'program.js');
    fs.writeFileSync(program, 'console.log([...Array(10).keys()].reduce((sum, each) => sum + each))');
    assert.equal(execFileSync(process.execPath, [program]).toString(), '45\n');
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
  console.log(`ok node ${process.versions.node}`);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
