from .peaks import Peak, find_peaks

__all__ = ["Peak", "find_peaks"]
