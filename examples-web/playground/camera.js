// The camera dialog: a viewfinder, a shutter, and front or back where there are two.

const WORDS = {
  NotAllowedError:
    "The camera is switched off for this page. Allow it in the browser's address bar, then open " +
    "it again.",
  NotFoundError: "No camera was found.",
  NotReadableError: "Another programme is using the camera. Close that, then open it again.",
};
const JPEG_QUALITY = 0.92;

/** True where the browser offers a camera at all (it does so on secure pages only). */
export function cameraIsOffered() {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

/**
 * Opens the dialog until an image is taken or it is closed.
 * @param {HTMLDialogElement} dialog
 * @returns {Promise<Blob | null>} a JPEG, or null when nothing was taken
 */
export function takeImage(dialog) {
  const find = (id) => dialog.querySelector(`#${id}`);
  const video = find("viewfinder");
  const message = find("camera-message");
  const take = find("camera-take");
  const turn = find("camera-turn");
  let stream = null;
  let facing = "environment";
  let blob = null;

  const end = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    video.srcObject = null;
  };
  const start = async () => {
    end();
    message.hidden = true;
    take.disabled = true;
    try {
      const opened = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: facing, width: { ideal: 1920 } },
        audio: false,
      });
      if (!dialog.open) return opened.getTracks().forEach((track) => track.stop());
      stream = opened;
      video.srcObject = stream;
      video.classList.toggle(
        "mirrored",
        stream.getVideoTracks()[0].getSettings().facingMode !== "environment",
      );
      await video.play();
      const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(
        ({ kind }) => kind === "videoinput",
      );
      turn.hidden = cameras.length < 2;
      take.disabled = false;
    } catch (error) {
      message.textContent = WORDS[error.name] ?? "The camera could not be opened.";
      message.hidden = false;
    }
  };
  const shoot = () => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob(
      (taken) => {
        blob = taken;
        dialog.close();
      },
      "image/jpeg",
      JPEG_QUALITY,
    );
  };

  take.onclick = shoot;
  find("camera-close").onclick = () => dialog.close();
  turn.onclick = () => {
    facing = facing === "environment" ? "user" : "environment";
    void start();
  };
  dialog.showModal();
  void start().then(() => take.focus());
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        end();
        resolve(blob);
      },
      { once: true },
    );
  });
}
