import pkgutil


def word_for(language):
    lines = pkgutil.get_data('greetings', 'words.txt').decode('utf-8').splitlines()
    return dict(line.split() for line in lines)[language]
