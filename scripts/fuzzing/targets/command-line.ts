import { parseCommandLine } from "../../../src/cli/command-line.ts";
import { canonicalNetwork, parseAddress } from "../../../src/cli/network.ts";
import { OPTIONS } from "../../../src/cli/options.ts";
import { parseServerList } from "../../../src/cli/server-list.ts";
import { parseSocketAddress } from "../../../src/cli/socket-address.ts";
import { StartError } from "../../../src/cli/start-error.ts";
import { parseNetworks } from "../../../src/policy/networks.ts";
import type { Chance } from "../chance.ts";
import { BETWEEN, binary, bytesOf, must, mustEqual, outcomeOf, size, type Target } from "../target.ts";

const SOCKETS: readonly string[] = [
  ..."unix:/run/a.sock|/run/b|local:/c|inet:7357|inet:1@localhost|inet6:2@::1|inet6:3@[::1]|inet:4@127.0.0.1|UNIX:/x".split(
    "|",
  ),
  ..."inet:0|inet:99999|inet6:5@1.2.3.4|inet:6@1.2|unix:rel|unix:/a/|x:1|".split("|"),
];
const HOSTS: readonly string[] = [
  ..."127.0.0.1|[::1]|mx.example|a:b|a::b|:a|::1|10.0.0.0/8|fc00::/7|::ffff:10.0.0.0/104|1.2.3|0x1.2.3.4|[::1%lo]".split(
    "|",
  ),
];
const VALUES: readonly string[] = [
  ...SOCKETS,
  ...HOSTS,
  "0",
  "1",
  "-1",
  "5",
  "a@b.example",
  "/a",
  "text",
  "json",
  "0660",
];

function someWords(chance: Chance): string[] {
  return chance.several(6, () => {
    const option = chance.pick(OPTIONS);
    const value = chance.pick(VALUES);
    const long = option.long.slice(0, chance.happens(0.8) ? 99 : chance.below(option.long.length + 1));
    return chance.pick([
      `--${long}`,
      `--${long}=${value}`,
      `-${option.short ?? "z"}`,
      `-${option.short ?? "z"}${value}`,
      value,
      "--",
      "-",
      chance.text("-abcNop=:", 6),
    ]);
  });
}

const commandLine: Target = {
  name: "command-line",
  about: "the words of a command line",
  dictionary: [...OPTIONS.map(({ long }) => `--${long}`), ...VALUES, BETWEEN, "=", "--", "--no-"],
  largest: 6000,
  generate: (chance) => Buffer.from([...someWords(chance), chance.pick(SOCKETS)].join(BETWEEN)),
  run(input) {
    const words = Buffer.from(input).toString("utf8").split(BETWEEN);
    const { value, code } = outcomeOf(() => parseCommandLine(words), StartError);
    if (value === null) return code;
    if (value.action === "help") return "help";
    const given = Object.entries(value.options.values);
    for (const [name, one] of given) {
      const option = OPTIONS.find(({ long }) => long === name);
      must(option !== undefined, `an option ${name} that there is not`);
      must(option.argument !== "none" || one === true, `a value of ${name}, which takes none`);
      must(option.argument !== "required" || typeof one === "string", `no value of ${name}`);
      must(
        typeof one !== "string" || one === "" || words.some((word) => word.includes(one)),
        `${name}: made up`,
      );
    }
    parseNetworks(value.options.ignore);
    return `${value.action} ${given.slice(0, 3).map(([name]) => name)} ${size(value.options.ignore.length)}`;
  },
};

const addresses: Target = {
  name: "network-addresses",
  about: "socket addresses, lists of servers, addresses and networks",
  dictionary: [...VALUES, ":", "@", "[", "]", "/", ".", "%", "::", "ffff", "0x", "inet:", "inet6:"],
  largest: 3000,
  generate: (chance) =>
    bytesOf(
      chance.happens(0.7) ? chance.pick(VALUES) : chance.several(5, () => chance.pick(HOSTS)).join(":"),
    ),
  run(input) {
    const text = binary(input);
    const { value: socket, code } = outcomeOf(() => parseSocketAddress(text), StartError);
    if (socket !== null)
      mustEqual(parseSocketAddress(socket.text), socket, "a socket address does not come back");
    const servers = parseServerList(text);
    if (typeof servers !== "string") {
      const again = servers.map((host) => (host.includes(":") ? `[${host}]` : host)).join(":");
      // Several hosts can look like one address once several colons are one.
      if (parseAddress(again) === null)
        mustEqual(parseServerList(again), servers, "a list of servers does not come back");
      must(servers.length > 0 && servers.every((host) => host !== ""), "an empty server");
    }
    const network = canonicalNetwork(text);
    if (network !== null) {
      mustEqual(canonicalNetwork(network), network, "a network is not in its one form");
      parseNetworks([network]);
    }
    const address = parseAddress(text);
    return `${socket?.kind} ${code} ${typeof servers === "string" ? "-" : servers.length} ${network === null} ${address?.kind()}`;
  },
};

export const COMMAND_LINE_TARGETS: readonly Target[] = [commandLine, addresses];
