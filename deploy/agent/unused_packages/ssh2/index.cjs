// dockerode asks for it to reach an engine over ssh, which Boreas never does.
module.exports = {};
