import { describe, expect, test } from "bun:test";
import { parseSocketAddress } from "../../src/cli/socket-address.ts";
import { startFailure } from "./start-failure.ts";

const LONGEST = `/${"p".repeat(106)}`;

describe("socket addresses", () => {
  const unix: readonly (readonly [string, string])[] = [
    ["unix:/run/milter.sock", "/run/milter.sock"],
    ["local:/run/milter.sock", "/run/milter.sock"],
    ["LOCAL:/run/milter.sock", "/run/milter.sock"],
    ["/run/milter.sock", "/run/milter.sock"],
    ["/run/with:colon@and space", "/run/with:colon@and space"],
    [LONGEST, LONGEST],
  ];
  test.each(unix)("%s", (text, path) => {
    expect(parseSocketAddress(text)).toEqual({ kind: "unix", path, text: `unix:${path}` });
  });

  const inet: readonly (readonly [string, 4 | 6, string | null, number, string])[] = [
    ["inet:8891", 4, null, 8891, "inet:8891"],
    ["inet:1@127.0.0.1", 4, "127.0.0.1", 1, "inet:1@127.0.0.1"],
    ["INET:65535@mail.example.org", 4, "mail.example.org", 65535, "inet:65535@mail.example.org"],
    ["inet6:8891", 6, null, 8891, "inet6:8891"],
    ["inet6:8891@::1", 6, "::1", 8891, "inet6:8891@[::1]"],
    ["inet6:8891@[2001:db8::1]", 6, "2001:db8::1", 8891, "inet6:8891@[2001:db8::1]"],
    ["inet6:8891@localhost", 6, "localhost", 8891, "inet6:8891@localhost"],
  ];
  test.each(inet)("%s", (text, family, host, port, canonical) => {
    expect(parseSocketAddress(text)).toEqual({ kind: "inet", family, host, port, text: canonical });
  });

  const bad: readonly (readonly [string, string])[] = [
    ["", "expected unix:/path"],
    ["milter.sock", "expected unix:/path"],
    ["-", "expected unix:/path"],
    ["tcp:8891", "expected unix:/path"],
    ["unix:", "full one that begins with /"],
    ["unix:run/x", "full one that begins with /"],
    ["unix:/run/", "not a directory"],
    ["/", "not a directory"],
    [`${LONGEST}p`, "108 bytes; a socket's path can have 107"],
    [`/${"é".repeat(54)}`, "109 bytes"],
    ["inet:", 'a port from 1 to 65535, not ""'],
    ["inet:0", 'a port from 1 to 65535, not "0"'],
    ["inet:65536", 'a port from 1 to 65535, not "65536"'],
    ["inet:-1", "a port from 1 to 65535"],
    ["inet:smtp@localhost", 'not "smtp"'],
    ["inet:localhost@8891", 'not "localhost"'],
    ["inet:8891@", "neither a host name nor an IP address"],
    ["inet:8891@300.1.1.1", "neither a host name nor an IP address"],
    ["inet:8891@1.2.3", "neither a host name nor an IP address"],
    ["inet:8891@a b", "neither a host name nor an IP address"],
    ["inet:8891@a@b", "neither a host name nor an IP address"],
    ["inet:8891@::1", "use inet6: for it"],
    ["inet6:8891@127.0.0.1", "use inet: for it"],
    ["inet6:8891@[::1", "neither a host name nor an IP address"],
    ["inet6:8891@[localhost]", "only an IPv6 address stands in square brackets"],
    ["inet6:8891@2001:db8::zz", "neither a host name nor an IP address"],
  ];
  test.each(bad)("%p is refused", (text, why) => {
    const error = startFailure(() => parseSocketAddress(text));
    expect(error).toMatchObject({ code: "SOCKET_ADDRESS", exitCode: 64 });
    expect(error.message).toStartWith(`socket address "${text}": `);
    expect(error.message).toContain(why);
  });
});
