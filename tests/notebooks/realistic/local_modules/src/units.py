def to_bpm(seconds):
    return 60.0 / seconds
