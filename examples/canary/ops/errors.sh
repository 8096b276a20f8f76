#!/bin/sh
# Passes while the new release makes no errors. Runs on an agent of the environment; in a mock environment it is played.
set -eu
test "$(grep -c ' 500 ' /var/log/checkout.log)" -eq 0
