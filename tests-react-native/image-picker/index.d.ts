// What the example uses of react-native-image-picker, which is the app's own choice.
declare module "react-native-image-picker" {
  export interface ImagePickerResponse {
    assets?: { uri?: string }[];
  }
  type Picker = (options: { mediaType: "photo" }) => Promise<ImagePickerResponse>;
  export const launchCamera: Picker;
  export const launchImageLibrary: Picker;
}
