// Checks the EPUBs whose paths come in, one a line, with one warm epubcheck: a line out for each,
// "<fatal> <errors> <warnings> <ids, comma-separated>". Run by tests/support/epubcheck.py as a single source file.

import com.adobe.epubcheck.api.EPUBLocation;
import com.adobe.epubcheck.api.EpubCheck;
import com.adobe.epubcheck.api.MasterReport;
import com.adobe.epubcheck.messages.Message;
import com.adobe.epubcheck.messages.MessageId;
import com.adobe.epubcheck.messages.Severity;
import com.adobe.epubcheck.util.FeatureEnum;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.TreeSet;

public class Epubcheck {
    static class Count extends MasterReport {
        int fatal = 0;
        int errors = 0;
        int warnings = 0;
        final TreeSet<String> ids = new TreeSet<>();

        @Override
        public void message(Message message, EPUBLocation location, Object... args) {
            Severity severity = message.getSeverity();
            if (severity == Severity.FATAL) fatal++;
            else if (severity == Severity.ERROR) errors++;
            else if (severity == Severity.WARNING) warnings++;
            if (severity == Severity.FATAL || severity == Severity.ERROR) ids.add(message.getID().toString());
        }

        @Override
        public void message(MessageId id, EPUBLocation location, Object... args) {
            super.message(id, location, args);
        }

        @Override
        public void info(String resource, FeatureEnum feature, String value) {}

        @Override
        public void initialize() {}

        @Override
        public int generate() {
            return 0;
        }
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = System.out;
        System.setOut(System.err);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line; (line = in.readLine()) != null; ) {
            Count count = new Count();
            String failure = "";
            try {
                new EpubCheck(new File(line), count).doValidate();
            } catch (Throwable error) {
                failure = "CRASH-" + error.getClass().getSimpleName();
                count.fatal++;
            }
            String ids = String.join(",", count.ids) + failure;
            out.println(count.fatal + " " + count.errors + " " + count.warnings + " " + ids);
            out.flush();
        }
    }
}
