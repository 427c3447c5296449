// Pick a photo, ask, and read the words as they come.
import { useState } from "react";
import {
  Button,
  Image,
  KeyboardAvoidingView,
  ScrollView,
  StyleSheet,
  Text,
  TextInput,
  View,
} from "react-native";
import {
  launchCamera,
  launchImageLibrary,
  type ImagePickerResponse,
} from "react-native-image-picker";
import { useTinyVLM, type LoadProgress } from "react-native-tiny-vlm";

// README.md tells how the file gets into the app.
const model = "asset:fastvlm.gguf";

export default function App() {
  const [photo, setPhoto] = useState<string>();
  const [question, setQuestion] = useState("What is in this photo?");
  const { status, progress, error, text, isAnswering, answer, ask, stop } = useTinyVLM(model, {
    imageSize: 512,
  });

  const take = async (picking: Promise<ImagePickerResponse>) => {
    const { assets } = await picking;
    const uri = assets?.[0]?.uri;
    if (!uri) return; // nothing was picked
    stop();
    setPhoto(uri);
  };

  return (
    <KeyboardAvoidingView behavior="padding" style={styles.screen}>
      <View style={styles.row}>
        <Button title="Camera" onPress={() => void take(launchCamera({ mediaType: "photo" }))} />
        <Button
          title="Photos"
          onPress={() => void take(launchImageLibrary({ mediaType: "photo" }))}
        />
      </View>
      {photo && <Image source={{ uri: photo }} style={styles.photo} resizeMode="contain" />}
      {status === "loading" && <Text>{loading(progress)}</Text>}
      <TextInput
        accessibilityLabel="Question"
        value={question}
        onChangeText={setQuestion}
        style={styles.question}
      />
      {isAnswering ? (
        <Button title="Stop" onPress={stop} />
      ) : (
        <Button title="Ask" disabled={!photo} onPress={() => void ask(photo ?? null, question)} />
      )}
      <ScrollView style={styles.answer}>
        <Text accessibilityLiveRegion="polite">{text}</Text>
        {answer && (
          <Text style={styles.note}>
            {Math.round(answer.timings.firstTokenMs)} ms to the first word,{" "}
            {answer.timings.tokensPerSecond.toFixed(1)} tokens a second
          </Text>
        )}
        {error && <Text style={styles.error}>{`${error.code}: ${error.message}`}</Text>}
      </ScrollView>
    </KeyboardAvoidingView>
  );
}

function loading(progress?: LoadProgress): string {
  if (!progress?.totalBytes) return "Loading the model …";
  const percent = Math.round((100 * progress.loadedBytes) / progress.totalBytes);
  return progress.phase === "download" ? `Downloading: ${percent} %` : `Loading: ${percent} %`;
}

const styles = StyleSheet.create({
  screen: { flex: 1, gap: 12, padding: 16, paddingTop: 64 },
  row: { flexDirection: "row", gap: 12 },
  photo: { height: 240 },
  question: { borderWidth: 1, borderRadius: 6, padding: 8 },
  answer: { flex: 1 },
  note: { marginTop: 8, opacity: 0.6 },
  error: { marginTop: 8, color: "#b00020" },
});
