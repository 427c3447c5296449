// In the place of react-native-image-picker, where the example is bundled: nothing is picked.
exports.launchCamera = exports.launchImageLibrary = async () => ({});
