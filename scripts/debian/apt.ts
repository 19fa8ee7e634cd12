import { lstatSync } from "node:fs";
import { dirname } from "node:path";
import { type Finished, type RunOptions, run, runWell } from "./child.ts";
import { failure } from "./failure.ts";

/** One package that has to come from the archive. */
export interface Wanted {
  readonly name: string;
  readonly version: string;
}

/** What a set is made of: packages to download, and packages whose files the host has already. */
export interface Plan {
  readonly download: readonly Wanted[];
  readonly copy: readonly string[];
}

/** Milliseconds for one package manager call that uses the network. */
const NETWORK_DEADLINE = 5 * 60_000;

/** A C library of another version than the running loader's would break every program: never brought. */
const NEVER = new Set(["libc6", "libc-bin", "libcrypt1"]);

/** Folders of a package that no program needs to run. */
const USELESS = /^\/usr\/share\/(doc|man|locale|lintian|bug)\//;

/** How a machine reaches the archive is the machine's business: only the usual proxy names are passed on. */
const PROXY_NAMES = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

function apt(args: readonly string[], options: Omit<RunOptions, "argv"> = {}): Promise<Finished> {
  const proxies = PROXY_NAMES.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return run({
    argv: ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2", ...args],
    deadline: NETWORK_DEADLINE,
    env: { DEBIAN_FRONTEND: "noninteractive", ...Object.fromEntries(proxies) },
    ...options,
  });
}

/**
 * Fetches the package lists anew.
 * @throws code `NOT_ROOT` without the right to do so, `OFFLINE` when no archive answers
 */
export async function refreshLists(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw failure(
      "NOT_ROOT",
      "the package lists must be fetched anew: run this as root, or `apt-get update`",
    );
  }
  const finished = await apt(["-o", "Acquire::http::Timeout=30", "update"]);
  const said = `${finished.stdout}${finished.stderr}`;
  if (finished.exitCode !== 0 || /^(E:|W: Failed to fetch)/m.test(said)) {
    throw failure("OFFLINE", `apt-get update failed: is this machine online?\n${said.trim()}`);
  }
}

/** Reads the `Inst` lines of a simulated installation. Packages of a foreign architecture are left out. */
export function parseSimulation(text: string): Wanted[] {
  return [...text.matchAll(/^Inst (\S+) (?:\[[^\]]*\] )?\((\S+) /gm)].flatMap(([, name, version]) =>
    name === undefined || version === undefined || name.includes(":") ? [] : [{ name, version }],
  );
}

/** Names of the packages the host has, fully installed. */
async function installedPackages(): Promise<Set<string>> {
  const { stdout } = await runWell({
    argv: ["dpkg-query", "-W", "-f", "$" + "{db:Status-Abbrev}|$" + "{Package}\n"],
  });
  const lines = stdout.split("\n").filter((line) => line.startsWith("ii"));
  return new Set(lines.map((line) => line.slice(line.indexOf("|") + 1)));
}

/**
 * Finds what a set needs, by a simulated installation; nothing is installed.
 * A package the host has in the newest version is copied from the host, everything else is downloaded. When the
 * host's own packages stand in the way (two mail servers exclude each other) the simulation is done again for an
 * empty machine, and what the host has is taken off.
 * @param packages names of the wanted packages
 * @throws code `PACKAGE_UNKNOWN` when a name is in no package list, `PACKAGE_CLOSURE` when no solution is found
 */
export async function planPackages(packages: readonly string[], emptyStatus: string): Promise<Plan> {
  const simulate = (args: readonly string[]): Promise<Finished> =>
    apt(["-s", "-y", "--no-install-recommends", ...args, "install", ...packages], { deadline: 60_000 });
  const installed = await installedPackages();
  let finished = await simulate([]);
  if (/Unable to locate package|no installation candidate/.test(finished.stderr)) {
    throw failure("PACKAGE_UNKNOWN", finished.stderr.trim());
  }
  let known: ReadonlySet<string> = new Set();
  if (finished.exitCode !== 0) {
    finished = await simulate(["-o", `Dir::State::status=${emptyStatus}`]);
    known = installed;
  }
  if (finished.exitCode !== 0) {
    const said = `${finished.stdout}${finished.stderr}`.trim();
    throw failure("PACKAGE_CLOSURE", `cannot find what ${packages.join(" ")} need:\n${said}`);
  }
  const explicit = new Set(packages);
  const download = parseSimulation(finished.stdout).filter(
    ({ name }) => explicit.has(name) || (name.startsWith("lib") && !NEVER.has(name) && !known.has(name)),
  );
  const coming = new Set(download.map(({ name }) => name));
  return { download, copy: packages.filter((name) => !coming.has(name) && installed.has(name)) };
}

/**
 * Downloads packages into a folder.
 * @throws code `DOWNLOAD_FAILED` with the package manager's own words
 */
export async function downloadPackages(wanted: readonly Wanted[], folder: string): Promise<void> {
  if (wanted.length === 0) return;
  const names = wanted.map(({ name, version }) => `${name}=${version}`);
  const finished = await apt(["-o", "Acquire::http::Timeout=30", "download", ...names], { cwd: folder });
  if (finished.exitCode !== 0) {
    throw failure("DOWNLOAD_FAILED", `${finished.stdout}${finished.stderr}`.trim());
  }
}

/**
 * Copies the files of an installed package below a private root.
 * The copy, not the host's file, is run: a security profile of the host that is bound to the path of a program
 * (Debian confines /usr/sbin/clamd to its own folders) would keep it from a private configuration.
 * @returns the version the host has
 */
export async function copyInstalled(name: string, root: string): Promise<string> {
  const { stdout } = await runWell({ argv: ["dpkg-query", "-L", name] });
  const listed = stdout.split("\n").filter((path) => path.startsWith("/"));
  // /lib is listed as a folder but is a link on a merged system: what has something below it is no file.
  const folders = new Set(listed.map((path) => dirname(path)));
  const files = listed.filter((path) => !folders.has(path) && !USELESS.test(path) && isFile(path));
  if (files.length > 0) {
    await runWell({ argv: ["cp", "-a", "--parents", "-t", root, ...files], cwd: "/", deadline: 120_000 });
  }
  const version = await runWell({ argv: ["dpkg-query", "-W", "-f", "$" + "{Version}", name] });
  return version.stdout.trim();
}

function isFile(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat !== undefined && !stat.isDirectory();
}
