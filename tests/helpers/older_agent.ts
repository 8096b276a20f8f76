/** An installed agent as the release before would have left it, so that a test has something to bring up to date. */
import { PRODUCT_VERSION } from "../../compose/product_version.ts";
import type { SystemdMachine } from "./systemd_machine.ts";

export const OLDER = "0.0.8";
const DIR = "/opt/boreas/agent";
const DROP_IN = "/etc/systemd/system/boreas-agent.service.d";

/**
 * @param patience seconds that the next upgrade has for the master's welcome, on a machine that may be slow
 * @param restart has a machine without systemd start what `current` names
 */
export async function becomeOlder(machine: SystemdMachine, patience: number, restart?: string): Promise<void> {
  await machine.run(`
    rm -rf ${DIR}/${OLDER} && cp -a ${DIR}/${PRODUCT_VERSION} ${DIR}/${OLDER}
    sed -i 's/"${PRODUCT_VERSION}"/"${OLDER}"/g' ${DIR}/${OLDER}/boreas-agent.js
    ln -sfn ${OLDER} ${DIR}/current`);
  await machine.run(
    restart ?? `mkdir -p ${DROP_IN}
    printf '[Service]\\nEnvironment=BOREAS_WATCH_SECONDS=${patience}\\n' >${DROP_IN}/test.conf
    systemctl daemon-reload && systemctl restart boreas-agent`,
  );
}
