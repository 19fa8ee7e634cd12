import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { failure } from "../../scripts/debian/failure.ts";
import { cachedPart } from "../../scripts/debian/parts.ts";
import { plainFolder } from "./folder.ts";
import { startNamespaced } from "./process.ts";
import { PRIVATE_DEV } from "./syslog.ts";
import { until } from "./wait.ts";

/** A hosts.allow and a hosts.deny, one character a byte, and who asks. */
export interface TcpdCase {
  readonly allow: string;
  readonly deny: string;
  readonly queries: readonly TcpdQuery[];
}

/** The two arguments of tcpdmatch(8). */
export interface TcpdQuery {
  /** `daemon` or `daemon@server`. */
  readonly daemon: string;
  /** An address, a name of the private hosts file, `unknown`, `paranoid`, with or without `user@`. */
  readonly client: string;
}

export interface TcpdAnswer {
  /** "delegated": a `twist` would take over. */
  readonly access: "granted" | "denied" | "delegated";
  /** `file:line` of the rule that matched; null when none did. */
  readonly matched: string | null;
  /** What libwrap logged. */
  readonly log: string;
}

/** Runs everything in turn: a set of programs at once would mix their logs up. */
const LOOP = `while IFS='\t' read -r folder daemon client; do
  cd "$2/$folder"
  echo "= $folder $daemon $client"
  LD_LIBRARY_PATH="$4" "$3" -d -i /dev/null "$daemon" "$client" </dev/null 2>&1 || echo "exit code $?"
done <"$1"`;

const MOUNTS = `mount --bind "$3" /etc/hosts
mount --bind "$4" /etc/nsswitch.conf`;

/**
 * Asks Debian's tcpdmatch, which uses the same library as every daemon with tcpwrappers. It runs in private mounts:
 * names come from `hosts` alone, the log goes to us, and the host's own tables, inetd.conf and names are not read.
 * @param hosts text of the hosts file
 * @returns the answers, by case and query
 * @throws code `PARTS_MISSING`, `NOT_ROOT`, `TCPDMATCH_FAILED` when a query has no answer
 */
export async function askTcpdmatch(cases: readonly TcpdCase[], hosts: string): Promise<TcpdAnswer[][]> {
  const part = cachedPart("tcpd");
  const folder = plainFolder();
  const logs = await startLogs(join(folder.path, "log"));
  const write = (name: string, text: string): string => {
    const path = join(folder.path, name);
    writeFileSync(path, text, "latin1");
    return path;
  };
  try {
    const tables = join(folder.path, "tables");
    const dev = join(folder.path, "dev");
    for (const path of [tables, dev]) mkdirSync(path);
    const queries = write("queries", writeTables(tables, cases));
    const nsswitch = write("nsswitch", "hosts: files\nnetgroup: files\npasswd: files\ngroup: files\n");
    const child = startNamespaced({
      name: "tcpdmatch",
      setup: `${PRIVATE_DEV}\n${MOUNTS}`,
      arguments: [dev, join(folder.path, "log"), write("hosts", hosts), nsswitch],
      argv: [
        "sh",
        "-c",
        LOOP,
        "sh",
        queries,
        tables,
        join(part.root, "usr/sbin/tcpdmatch"),
        part.libraryPath,
      ],
    });
    try {
      const exitCode = await child.exited;
      if (exitCode !== 0) throw failure("TCPDMATCH_FAILED", `exit code ${exitCode}\n${child.output()}`);
    } finally {
      await child.stop();
    }
    return sortAnswers(cases, child.stdout(), await logs.texts());
  } finally {
    logs.stop();
    folder.remove();
  }
}

/** Writes the tables of each case into a folder of their own; returns the list of queries. */
function writeTables(root: string, cases: readonly TcpdCase[]): string {
  const lines = cases.flatMap(({ allow, deny, queries }, at) => {
    const folder = join(root, String(at));
    mkdirSync(folder);
    writeFileSync(join(folder, "hosts.allow"), allow, "latin1");
    writeFileSync(join(folder, "hosts.deny"), deny, "latin1");
    return queries.map(({ daemon, client }) => `${at}\t${daemon}\t${client}\n`);
  });
  return lines.join("");
}

function sortAnswers(cases: readonly TcpdCase[], output: string, logs: readonly string[]): TcpdAnswer[][] {
  const outputs = output.split(/^= /m).slice(1);
  const count = cases.reduce((sum, { queries }) => sum + queries.length, 0);
  if (outputs.length !== count || logs.length !== count) {
    const counts = `${outputs.length} answers and ${logs.length} logs for ${count} queries`;
    throw failure("TCPDMATCH_FAILED", `${counts}\n${output}`);
  }
  let next = 0;
  return cases.map(({ queries }) =>
    queries.map(() => {
      const at = next++;
      return readAnswer(outputs[at] ?? "", logs[at] ?? "");
    }),
  );
}

function readAnswer(output: string, log: string): TcpdAnswer {
  const found = [...output.matchAll(/^access: +(granted|denied|delegated)$/gm)].map(([, word]) => word);
  const [access] = found;
  if (found.length !== 1 || (access !== "granted" && access !== "denied" && access !== "delegated")) {
    throw failure("TCPDMATCH_FAILED", `not one answer but ${found.length}: ${output}\n${log}`);
  }
  const [, file, line] = /matched: +(hosts\.\w+) line (\d+)/.exec(log) ?? [];
  return { access, matched: file === undefined ? null : `${file}:${line}`, log };
}

interface Logs {
  /** What each program logged, in the order in which they connected, once all have closed. */
  texts(): Promise<string[]>;
  stop(): void;
}

/** Keeps the logs of programs that run one after the other apart: each has a connexion of its own. */
async function startLogs(path: string): Promise<Logs> {
  const pieces: string[][] = [];
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    const own: string[] = [];
    pieces.push(own);
    open.add(socket);
    socket.on("data", (data: Buffer) => own.push(data.toString("latin1").replaceAll("\0", "\n")));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => open.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  return {
    texts: async () => {
      await until(() => open.size === 0, { what: "the end of tcpdmatch's logs" });
      return pieces.map((own) => own.join(""));
    },
    stop: () => {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}
