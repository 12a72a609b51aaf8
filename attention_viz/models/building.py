"""One model at a time is built in this process."""

import threading

# transformers builds models under settings of the whole process: two built at once leave each
# other's weights empty ("Cannot copy out of meta tensor").
BUILDING = threading.Lock()
