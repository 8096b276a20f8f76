#!/bin/sh
# Asks the new release, which has no requests yet, whether it is well.
set -eu
echo "$BOREAS_APP $BOREAS_VERSION in $BOREAS_ENVIRONMENT"
