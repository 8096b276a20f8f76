import { expect, it } from "vitest";
import { parseRepositoryAddress } from "../domain/repository_address.ts";
import { pinRemote } from "./git_pin.ts";

const pin = async (url: string) => {
  const parsed = parseRepositoryAddress(url, { allowFile: false });
  if (!("address" in parsed)) throw new Error(parsed.problem);
  return await pinRemote(url, parsed.address, () => Promise.resolve(["192.0.2.1"]));
};

it.each([
  ["git@git.example.com:team/x.git", "git.example.com"],
  ["git.example.com:team/x.git", "git.example.com"],
  ["ssh://git@git.example.com/team/x.git", "git.example.com"],
  ["ssh://git@git.example.com:2222/team/x.git", "[git.example.com]:2222"],
])("ssh to %s goes where it was checked, and knows the host by its name", async (url, alias) => {
  expect((await pin(url)).sshOptions).toEqual(["HostName=192.0.2.1", `HostKeyAlias=${alias}`]);
});

it("https goes where it was checked, under its own name and port", async () => {
  expect((await pin("https://git.example.com:8443/team/x.git")).args)
    .toEqual(["-c", "http.curloptResolve=git.example.com:8443:192.0.2.1"]);
});
