import { expect, test } from "bun:test";
import { DEFAULT_CONFIG_FILES, loadClamdConf } from "../../src/config/config-file.ts";
import { startFailure } from "../cli/start-failure.ts";

function reader(files: Readonly<Record<string, string>>, denied: readonly string[] = []) {
  return {
    cwd: "/work",
    readFile(path: string): string {
      const text = files[path];
      if (text !== undefined) return text;
      const code = denied.includes(path) ? "EACCES" : "ENOENT";
      throw Object.assign(new Error(`${code}: cannot open`), { code });
    },
  };
}

test("the usual places are searched in their order", () => {
  expect(DEFAULT_CONFIG_FILES).toEqual([
    "/etc/clamav/clamd.conf",
    "/etc/clamd.conf",
    "/etc/clamd.d/scan.conf",
    "/usr/local/etc/clamd.conf",
  ]);
  const files = Object.fromEntries(DEFAULT_CONFIG_FILES.map((file) => [file, "LogTime yes\n"]));
  for (const file of DEFAULT_CONFIG_FILES) {
    expect(loadClamdConf(null, reader(files)).file).toBe(file);
    delete files[file];
  }
});

test("with none of them the start fails and names the places", () => {
  const error = startFailure(() => loadClamdConf(null, reader({})));
  expect(error).toMatchObject({ code: "CONFIG_FILE", exitCode: 78 });
  for (const file of DEFAULT_CONFIG_FILES) expect(error.message).toContain(file);
  expect(error.message).toContain("--config-file");
});

test("a usual file that cannot be read is not passed over", () => {
  const error = startFailure(() =>
    loadClamdConf(null, reader({ "/etc/clamd.conf": "" }, ["/etc/clamav/clamd.conf"])),
  );
  expect(error).toMatchObject({
    exitCode: 78,
    message: "/etc/clamav/clamd.conf: cannot be read: EACCES: cannot open",
  });
});

test("the file that was asked for is the only one", () => {
  const files = { "/etc/clamav/clamd.conf": "LogTime yes", "/work/my.conf": "LogTime no" };
  expect(loadClamdConf("/work/my.conf", reader(files)).file).toBe("/work/my.conf");
  expect(loadClamdConf("my.conf", reader(files)).file).toBe("/work/my.conf");
  const error = startFailure(() => loadClamdConf("other.conf", reader(files)));
  expect(error).toMatchObject({
    exitCode: 78,
    message: "/work/other.conf: cannot be read: ENOENT: cannot open",
  });
});

test("an error in the file is told with its place", () => {
  const files = { "/work/my.conf": "# first line\nLogTimes yes\n" };
  expect(startFailure(() => loadClamdConf("/work/my.conf", reader(files))).message).toBe(
    "/work/my.conf:2: LogTimes: unknown directive, did you mean LogTime?",
  );
});
