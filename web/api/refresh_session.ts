/**
 * Renews the session's cookies once for everybody: tabs and the live worker share them, and a refresh token is good for
 * one use. Whoever gets the lock second finds the session alive and asks nothing more.
 */
export async function refreshSession(): Promise<"ok" | "denied" | "unreachable"> {
  const renew = async () => {
    try {
      const alive = await fetch("/api/v1/auth/me");
      if (alive.ok) return "ok";
      if (alive.status !== 401) return "unreachable";
      const renewed = await fetch("/api/v1/auth/refresh", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
      // 409: another tab renewed it a moment ago; its cookies are ours.
      if (renewed.ok || renewed.status === 409) return "ok";
      return renewed.status >= 500 ? "unreachable" : "denied";
    } catch (error: unknown) {
      console.warn("the session could not be renewed", error);
      return "unreachable";
    }
  };
  return await navigator.locks?.request("boreas-refresh", renew) ?? await renew();
}
