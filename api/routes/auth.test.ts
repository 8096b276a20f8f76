import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { createTestApi, TEST_PASSWORD } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const login = async (username = "deployer", password = TEST_PASSWORD) =>
  await api.request("POST", "/auth/login", { username, password }, null);

describe("sign in", () => {
  it("gives a pair of tokens, and the access token works", async () => {
    const { status, body } = await login();
    expect(status).toBe(200);
    expect(body).toMatchObject({ expiresIn: 900, user: { username: "deployer", role: "deployer" } });
    const me = await api.request("GET", "/auth/me", undefined, body.accessToken);
    expect(me.body.username).toBe("deployer");
  });
});
