import { afterEach, expect, test } from "bun:test";
import { ClamdError } from "../../src/clamd/clamd-error.ts";
import type { ScannerWatchState } from "../../src/clamd/outage.ts";
import { outageNews } from "../../src/keeper/scanner-news.ts";
import { ScannerWatch, type WatchedSettings } from "../../src/keeper/scanner-watch.ts";
import { watchLab } from "./watch-lab.ts";

const REFUSED = new ClamdError("CLAMD_CONNECT", "connection refused");
const NOTHING: ScannerWatchState = { servers: [], outageSince: null };
const running: ScannerWatch[] = [];

afterEach(() => {
  for (const watch of running.splice(0)) watch.stop();
});

function world(...names: readonly string[]) {
  const lab = watchLab();
  const servers = names.map((name) => lab.server(name));
  const lines: string[] = [];
  const reports: ScannerWatchState[] = [];
  const start = (settings: WatchedSettings, state: ScannerWatchState): ScannerWatch => {
    const watch = new ScannerWatch(settings, state, lab.edge, {
      log: (level, text) => lines.push(`${level}: ${text}`),
      report: (changed) => reports.push(changed),
      onOutage: (event) => lines.push(outageNews(event, false).text),
    });
    running.push(watch);
    return watch;
  };
  const settings = { servers: servers.map(({ address }) => address), canary: 60 };
  return { lab, servers, lines, reports, start, settings };
}

const last = (reports: readonly ScannerWatchState[]): ScannerWatchState => reports.at(-1) ?? NOTHING;

test("every change is one line and one report, and the loss of all is told once, as is its end", async () => {
  const { lab, servers, lines, reports, start, settings } = world("a", "b");
  start(settings, NOTHING);
  await lab.pass(1000);
  expect(last(reports).servers.map(({ name, proven }) => [name, proven])).toEqual([
    ["a", true],
    ["b", true],
  ]);
  for (const server of servers) {
    server.is.refuses = REFUSED;
    server.drop();
    await lab.pass(5000);
  }
  expect(lines).toEqual([
    "error: clamd a cannot be reached: connection refused",
    "error: clamd b cannot be reached: connection refused",
    "no clamd server answers (a: not reached, b: not reached): mail is deferred meanwhile (ClamAV Down)",
  ]);
  const count = reports.length;
  await lab.pass(120_000);
  expect([lines.length, reports.length]).toEqual([3, count]);
  for (const server of servers) server.is.refuses = null;
  await lab.pass(2000);
  expect(lines.slice(3).sort()).toEqual([
    expect.stringMatching(/^clamd [ab] is back: mail is scanned again, after 12\d s$/),
    expect.stringMatching(/^info: clamd a answers again, after 13\d s and \d+ looks in vain$/),
    expect.stringMatching(/^info: clamd b answers again, after 12\d s and \d+ looks in vain$/),
  ]);
  expect(last(reports).outageSince).toBeNull();
});

test("a keeper that follows another tells nothing twice, and keeps a blind server out", async () => {
  const { lab, servers, lines, reports, start, settings } = world("a");
  const first = start(settings, NOTHING);
  await lab.pass(1000);
  for (const { is } of servers) is.stream = "stream: OK";
  await lab.pass(60_000);
  expect(lines).toEqual([
    expect.stringMatching(/^error: clamd a does not find the test virus any more/),
    expect.stringMatching(/^no clamd server answers \(a: blind\)/),
  ]);
  first.stop();
  start(settings, JSON.parse(JSON.stringify(last(reports))) as ScannerWatchState);
  await lab.pass(60_000);
  expect(lines.length).toBe(2);
  expect(last(reports).servers[0]?.state).toBe("blind");
  for (const { is } of servers) is.stream = "stream: Eicar FOUND";
  await lab.pass(60_000);
  expect(lines.length).toBe(4);
});

test("with new settings servers that stay are known on, others begin anew", async () => {
  const { lab, servers, lines, reports, start, settings } = world("a", "b", "c");
  const [a, b, c] = settings.servers;
  if (a === undefined || b === undefined || c === undefined) throw new Error("three servers");
  for (const { is } of servers) is.refuses = REFUSED;
  const watch = start({ servers: [a, b], canary: 60 }, NOTHING);
  await lab.pass(1000);
  expect(lines.length).toBe(3);
  watch.renew({ servers: [b, c, c], canary: 60 });
  await lab.pass(1000);
  expect(lines.slice(3)).toEqual([
    // A new one is believed to be there until it is looked at.
    expect.stringContaining("clamd c is back"),
    "error: clamd c cannot be reached: connection refused",
    expect.stringContaining("no clamd server answers (b: not reached, c: not reached)"),
  ]);
  expect(last(reports).servers.map(({ name }) => name)).toEqual(["b", "c"]);
});

test("trouble at a server that there is not is nobody's", async () => {
  const { lab, start, settings } = world("a");
  const watch = start(settings, NOTHING);
  watch.trouble("/etc/shadow");
  watch.trouble("a");
  await lab.pass(1000);
});

test("what mail does meanwhile is said as it is", () => {
  expect(outageNews({ kind: "began", servers: [] }, true).text).toContain("mail passes unscanned meanwhile");
});
