import { afterAll, afterEach, beforeAll } from "bun:test";
import { join } from "node:path";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { until } from "../lab/wait.ts";

/** Milliseconds for one test among real servers. */
export const PATIENCE = 90_000;
export const HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3"] as const;

/** Three clamds on one port of three addresses, for the tests of one file; after each test they run. */
export interface ThreeScanners {
  readonly port: number;
  readonly servers: readonly Clamd[];
  /** The path of a file in the tests' folder. */
  at(name: string): string;
  /** A filter on `milter.sock`, which ends with the test. */
  started(conf: string, options: readonly string[]): Promise<Filter>;
  /** Ends the filters of this test before that. */
  stopFilters(): Promise<void>;
  /** The kind of the verdict on a message. */
  verdictOn(text: string): Promise<string>;
}

/** To be called once, at the top of a file. */
export function threeScanners(): ThreeScanners {
  const folder = plainFolder();
  const at = (name: string): string => join(folder.path, name);
  const filters: Filter[] = [];
  let port = 0;
  let servers: Clamd[] = [];
  const stopFilters = async (): Promise<void> => {
    await Promise.all(filters.splice(0).map((filter) => filter.stop()));
  };
  beforeAll(async () => {
    port = await freePort(...HOSTS);
    const start = (addr: string, number: number): Promise<Clamd> =>
      startClamd({ folder: folder.path, name: `c${number}`, localSocket: false, tcp: { addr, port } });
    servers = await Promise.all(HOSTS.map(start));
  }, PATIENCE);
  afterEach(async () => {
    await stopFilters();
    for (const server of servers) {
      server.kill("SIGCONT");
      if (!server.running()) await server.restart();
    }
  }, PATIENCE);
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    folder.remove();
  }, PATIENCE);
  return {
    get port() {
      return port;
    },
    get servers() {
      return servers;
    },
    at,
    stopFilters,
    started: async (conf, options) => {
      const filter = await startFilter({ conf, sockets: [at("milter.sock")], options: ["-q", ...options] });
      filters.push(filter);
      return filter;
    },
    verdictOn: (text) => verdictBy(at("milter.sock"), text),
  };
}

async function verdictBy(socket: string, text: string): Promise<string> {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const headers = head.split(/\r\n(?![ \t])/).map((line): [string, string] => {
    const [name = "", ...value] = line.split(": ");
    return [name, value.join(": ")];
  });
  const mta = await MtaConnexion.open({ unix: socket });
  await mta.negotiate();
  await mta.greet();
  const { verdict } = await mta.mail({ headers, body: Buffer.from(rest.join("\r\n\r\n")) });
  mta.quit();
  return verdict.kind;
}

/** Lets time pass in which something must not happen. */
export async function pass(milliseconds: number): Promise<void> {
  const end = performance.now() + milliseconds;
  await until(() => performance.now() > end, { what: "time to pass", deadline: milliseconds + 5000 });
}
