// dockerode asks for it to build images with BuildKit, which Boreas never does.
module.exports = {};
