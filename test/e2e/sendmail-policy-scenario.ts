/**
 * Real sendmail with clients from several addresses: run in a network of its own by sendmail-policy.test.ts. Prints
 * what each client was told, what was delivered and what the filter logged.
 */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startClamd } from "../lab/clamd.ts";
import { eicarAttachment } from "../lab/eicar.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { trustedFolder } from "../lab/folder.ts";
import { mail } from "../lab/mail.ts";
import { freePort } from "../lab/port.ts";
import { addLoopbackAddresses } from "../lab/private-network.ts";
import { startSendmail } from "../lab/sendmail.ts";
import { startSink } from "../lab/sink.ts";
import { type SendResult, sendMail } from "../lab/smtp-client.ts";

const SERVER = "198.51.100.1";
const OUTSIDE = "198.51.100.5";
const INFECTED = "198.51.100.66";
const LAN = "192.168.77.1";
const HOST = "mail.lab.example";

addLoopbackAddresses([SERVER, OUTSIDE, INFECTED, LAN]);
const folder = trustedFolder();
const at = (name: string): string => join(folder.path, name);
const write = (name: string, text: string): string => {
  writeFileSync(at(name), text);
  return at(name);
};
const quoted = (words: readonly string[]): string =>
  words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");

const [clamd, sink] = await Promise.all([startClamd({ folder: folder.path }), startSink()]);
const milterPort = await freePort();
const publicPort = await freePort(SERVER);
const aliases = write("aliases", "hole: /dev/null\nhalf: /dev/null, bob\ngone: ghost\n");
const whitelist = write("whitelist", `From: <friend@partner.example>\nTo: <listed@${HOST}>\n<gadget>\n`);
const sendmail = await startSendmail({
  folder: folder.path,
  sinkPort: sink.port,
  milter: { spec: `inet:${milterPort}@127.0.0.1`, flags: "T" },
  mc: [
    `define(\`ALIAS_FILE', \`${aliases}')dnl`,
    "MAILER(`local')dnl",
    "LOCAL_USER(`ghost')",
    `DAEMON_OPTIONS(\`Name=Public, Family=inet, Addr=${SERVER}, Port=${publicPort}')dnl`,
  ],
});
await sendmail.command(["-bi"]);
const program = write("sendmail-bin", `#!/bin/sh\nexec ${quoted(sendmail.argv([]))} "$@"\n`);
chmodSync(program, 0o755);

function startWith(options: readonly string[]): Promise<Filter> {
  const common = ["-q", "--sendmail-bin", program, "--sendmail-cf", at("sendmail/lab.cf")];
  return startFilter({
    conf: clamd.confPath,
    sockets: [`inet:${milterPort}@127.0.0.1`],
    options: [...common, ...options],
  });
}

const results: Record<string, SendResult> = {};
interface Told {
  readonly from?: string;
  readonly to?: readonly string[];
  readonly virus?: boolean;
  readonly client?: string;
}

/** Sends a message whose subject is the case's name; a client without an address is `sendmail -bs`. */
async function send(
  name: string,
  { from = "someone@other.example", to = [`bob@${HOST}`], virus, client }: Told,
): Promise<void> {
  const attachments = virus === true ? [eicarAttachment()] : [];
  const envelope = { from, to, data: mail({ subject: name, from, attachments }) };
  results[name] =
    client === "command"
      ? await sendmail.submit(envelope)
      : await sendMail({ ...envelope, port: publicPort, host: SERVER, localAddress: client ?? OUTSIDE });
}

const logs: string[] = [];
try {
  const first = await startWith(["-k", "600", "-W", whitelist, "--black-hole-mode"]);
  await send("outside, clean", {});
  await send("outside, virus", { virus: true, client: INFECTED });
  await send("second message of the infected host", { client: INFECTED });
  await send("LAN, virus", { virus: true, client: LAN });
  await send("LAN, clean afterwards", { client: LAN });
  await send("this machine, virus", { virus: true, client: "127.0.0.1" });
  await send("command line, virus", { virus: true, client: "command" });
  await send("whitelisted sender, virus", { virus: true, from: "Friend@Partner.example" });
  await send("whitelisted recipient, virus", { virus: true, to: [`Listed@${HOST}`] });
  await send("whitelisted local part, virus", { virus: true, to: [`gadget@${HOST}`] });
  await send("two recipients, one whitelisted", { to: [`listed@${HOST}`, `bob@${HOST}`] });
  await send("black hole", { to: [`hole@${HOST}`] });
  await send("black holes in other letters", { to: [`Hole@${HOST}`, `hole@${HOST}`] });
  await send("black hole and bob", { to: [`half@${HOST}`] });
  await send("black hole and another", { to: [`hole@${HOST}`, `bob@${HOST}`] });
  await send("alias of nobody", { to: [`gone@${HOST}`] });
  await send("nobody", { to: [`ghost@${HOST}`] });
  await send("pipe", { to: [`"a|b"@${HOST}`], client: LAN });
  logs.push(first.log());
  await first.stop();
  const second = await startWith(["-o", "-l"]);
  await send("semicolon", { to: [`"a;b"@${HOST}`, `bob@${HOST}`] });
  await send("pipe outside", { to: [`"|prog"@${HOST}`] });
  await send("semicolon of this machine", { to: [`"a;b"@${HOST}`, `bob@${HOST}`], client: "127.0.0.1" });
  await send("semicolon of the command line", { to: [`"a;b"@${HOST}`, `bob@${HOST}`], client: "command" });
  logs.push(second.log());
  await second.stop();
} finally {
  await sendmail.stop();
  await clamd.stop();
  await sink.stop();
  folder.remove();
}
const mails = sink.mails.map(({ rcpts, data }) => ({ rcpts, data }));
console.log(JSON.stringify({ results, mails, logs }));
