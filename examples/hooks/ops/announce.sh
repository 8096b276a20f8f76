#!/bin/sh
# Tells the team.
set -eu
echo "$BOREAS_APP $BOREAS_VERSION in $BOREAS_ENVIRONMENT"
