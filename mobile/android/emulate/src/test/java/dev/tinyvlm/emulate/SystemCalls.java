package dev.tinyvlm.emulate;

import com.github.unidbg.Emulator;
import com.github.unidbg.arm.backend.Backend;
import com.github.unidbg.arm.backend.DynarmicFactory;
import com.github.unidbg.arm.context.RegisterContext;
import com.github.unidbg.file.FileIO;
import com.github.unidbg.file.linux.AndroidFileIO;
import com.github.unidbg.linux.ARM64SyscallHandler;
import com.github.unidbg.linux.android.AndroidARM64Emulator;
import com.github.unidbg.memory.SvcMemory;
import com.github.unidbg.unix.UnixSyscallHandler;
import java.io.File;
import java.util.List;
import unicorn.Arm64Const;

/**
 * The emulator's system calls, and pread64, by which the library reads files: unidbg has it for
 * 32-bit processors only.
 */
final class SystemCalls extends ARM64SyscallHandler {
  private static final int PREAD64 = 67; // Linux's number on arm64
  private static final long BAD_DESCRIPTOR = -9; // EBADF

  private SystemCalls(SvcMemory memory) {
    super(memory);
  }

  /** An emulated process whose files lie under {@code root}. */
  static AndroidARM64Emulator emulator(File root) {
    return new AndroidARM64Emulator(
        "dev.tinyvlm", root, List.of(new DynarmicFactory(/* fallbackUnicorn= */ false))) {
      @Override
      protected UnixSyscallHandler<AndroidFileIO> createSyscallHandler(SvcMemory memory) {
        return new SystemCalls(memory);
      }
    };
  }

  @Override
  protected boolean handleUnknownSyscall(Emulator<?> emulator, int number) {
    if (number != PREAD64) return super.handleUnknownSyscall(emulator, number);
    RegisterContext arguments = emulator.getContext();
    FileIO file = getFileIO(arguments.getIntArg(0));
    long read = file == null ? BAD_DESCRIPTOR : pread(emulator.getBackend(), file, arguments);
    emulator.getBackend().reg_write(Arm64Const.UC_ARM64_REG_X0, read);
    return true;
  }

  // The position of the file stays where it is.
  private static int pread(Backend backend, FileIO file, RegisterContext arguments) {
    int position = file.lseek(0, FileIO.SEEK_CUR);
    file.lseek(Math.toIntExact(arguments.getLongArg(3)), FileIO.SEEK_SET);
    int read = file.read(backend, arguments.getPointerArg(1), arguments.getIntArg(2));
    file.lseek(position, FileIO.SEEK_SET);
    return read;
  }
}
