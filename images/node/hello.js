// Answers HTTP on PORT with NAME, or the host's name, until it is told to end.
'use strict';
const http = require('node:http');
const os = require('node:os');

const name = process.env.NAME || os.hostname();
const server = http.createServer((_, answer) => {
  answer.setHeader('Content-Type', 'text/plain');
  answer.end(`${name}\n`);
});
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
server.listen(Number(process.env.PORT || 80));
