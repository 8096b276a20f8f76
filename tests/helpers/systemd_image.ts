/** The image of `systemd_machine.ts`: a Debian with systemd and what an agent's installation calls. */
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { makeDebianImage } from "./debian_image.ts";

const PACKAGES = "systemd,systemd-sysv,dbus,ca-certificates,curl,iproute2,dash,procps,busybox-static,sudo";
/** Nothing wakes up by itself in the middle of a test. */
const QUIET = ["apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "dpkg-db-backup.timer"];

/** @returns its name and tag */
export const makeSystemdImage = () =>
  makeDebianImage({
    name: "boreas-test-systemd",
    packages: PACKAGES.split(","),
    depends: QUIET,
    async finish(system) {
      for (const unit of QUIET) await symlink("/dev/null", join(system, "etc/systemd/system", unit));
    },
    without: ["var/cache/apt/*", "var/lib/apt/lists/*", "usr/share/doc/*", "usr/share/man/*", "usr/share/locale/*"],
  });
